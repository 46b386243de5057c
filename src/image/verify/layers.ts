import pLimit from "p-limit";
import { isUserError, throwIfAborted } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import { download, verified } from "../../registry/download.js";
import type { Descriptor } from "../../registry/manifest.js";
import { type Reporter, task } from "../../reporter.js";
import type { RemoteImage } from "../remote/read.js";
import { type CheckResult, count } from "./check.js";

export interface LayerOptions {
  /** Read every byte again, instead of asking for the sizes. */
  deep: boolean;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

const blobsAtOnce = 8;
const downloadsAtOnce = 4;

/** Whether a registry has every layer of some images, in its size; with `deep`, byte for byte. */
export async function checkLayers(
  client: RegistryClient,
  repository: string,
  images: readonly RemoteImage[],
  options: LayerOptions,
): Promise<CheckResult> {
  const layers = [
    ...new Map(images.flatMap(({ manifest }) => manifest.layers).map((one) => [one.digest, one])).values(),
  ];
  const queue = pLimit(options.deep ? downloadsAtOnce : blobsAtOnce);
  const look = options.deep ? isWhole : isThere;
  const wrong = await Promise.all(
    layers.map((layer) => queue(() => look(client, repository, layer, options))),
  );
  const details = wrong.filter((text) => text !== undefined);
  if (details.length > 0) {
    return {
      status: "failed",
      message: `${count(details.length, "layer")} of ${layers.length} cannot be had as the manifest names them`,
      hint: "Push the image again: what is missing is sent.",
      details,
    };
  }
  const how = options.deep ? "read and found whole" : "there, in the right size";
  return { status: "ok", message: `${count(layers.length, "layer")}: ${how}` };
}

async function isThere(
  client: RegistryClient,
  repository: string,
  { digest, size }: Descriptor,
): Promise<string | undefined> {
  const answer = await client.request({
    method: "HEAD",
    path: `/v2/${repository}/blobs/${digest}`,
    scopes: [`repository:${repository}:pull`],
    name: `${client.registry}/${repository}@${digest}`,
  });
  if (answer.status !== 200) return `${digest}: HTTP ${answer.status}`;
  const length = answer.headers["content-length"];
  if (length === undefined || Number(length) === size) return undefined;
  return `${digest}: ${length} bytes instead of ${size}`;
}

async function isWhole(
  client: RegistryClient,
  repository: string,
  layer: Descriptor,
  { report, signal }: LayerOptions,
): Promise<string | undefined> {
  const { digest, size } = layer;
  const id = `verify ${digest}`;
  try {
    await task(report, id, `Read ${digest.slice(0, 19)}`, async () => {
      let current = 0;
      for await (const chunk of verified(
        download(client, layer, { repository, signal }),
        layer,
        client.registry,
      )) {
        throwIfAborted(signal);
        current += chunk.length;
        report({ type: "task-progress", id, current, total: size, unit: "bytes" });
      }
    });
    return undefined;
  } catch (error) {
    if (!isUserError(error) || error.code !== "registry_failed") throw error;
    return `${digest}: ${error.why ?? error.message}`;
  }
}
