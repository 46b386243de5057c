import type { IncomingMessage } from "node:http";
import { interrupted, throwIfAborted } from "../errors.js";
import type { Reporter } from "../reporter.js";
import type { CredentialSource } from "./auth/credential.js";
import type { Engine } from "./client.js";
import { registryOf } from "./dockerfile-text.js";
import { engineError, engineMessage, isConnectionLoss, statusOf } from "./errors.js";
import { type ImageFacts, inspectImage, splitReference } from "./images.js";
import { jsonLines } from "./json-lines.js";
import { isLoopback, registryAuthHeader } from "./registry-auth.js";
import { registryError } from "./registry-failure.js";
import { streamRequest } from "./request.js";
import { LayerTasks, type TransferRow, transferError } from "./transfer-rows.js";

export interface PullOptions {
  /** `linux/amd64`; the engine's own where it is left out. */
  platform?: string | undefined;
  credentials: CredentialSource;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/**
 * Pulls one image (`:latest` where the name has no tag) and returns what the engine then knows of it.
 * Throws UserError `pull_failed`, `denied`, `authentication`, `disk_full`, `engine_unreachable` or `interrupted`.
 */
export async function pullImage(engine: Engine, ref: string, options: PullOptions): Promise<ImageFacts> {
  const { report, signal } = options;
  throwIfAborted(signal);
  const registry = registryOf(ref);
  const headers = registryAuthHeader(await options.credentials(registry), registry);
  const layers = new LayerTasks(report, `pull ${ref}`);
  const failed = (message: string) => registryError(message, { image: ref, code: "pull_failed" });
  let stream: IncomingMessage | undefined;
  try {
    const ask = pullRequest(engine, ref, options.platform);
    stream = await streamRequest(engine.docker, { method: "POST", ...ask, headers, signal });
    stream.on("error", () => {});
    for await (const row of jsonLines<TransferRow>(stream)) {
      const error = transferError(row);
      if (error !== undefined) throw failed(error);
      layers.take(row);
    }
    layers.finish("done");
  } catch (error) {
    layers.finish("failed");
    if (signal?.aborted) throw interrupted();
    if (statusOf(error) !== undefined && !isConnectionLoss(error)) throw failed(engineMessage(error));
    throw engineError(error, `pulling ${ref}`);
  } finally {
    stream?.destroy();
  }
  const image = await inspectImage(engine, ref, signal);
  if (image === undefined) throw failed("The engine's answer ended without the image being there.");
  return image;
}

/**
 * Docker takes registries on loopback as plain HTTP by itself; Podman has to be told, which only its own pull knows how
 * to. Everywhere else the endpoint that both have is used, which tells more about layers.
 */
function pullRequest(
  engine: Engine,
  ref: string,
  platform: string | undefined,
): { path: string; query: Record<string, unknown> } {
  const { repo, tag } = splitReference(ref);
  if (engine.info.kind !== "podman" || !isLoopback(registryOf(ref)))
    return { path: "/images/create", query: { fromImage: repo, tag, platform } };
  const [os, arch, variant] = platform?.split("/") ?? [];
  const reference = tag.includes(":") ? `${repo}@${tag}` : `${repo}:${tag}`;
  const query = { reference, tlsVerify: false, OS: os, Arch: arch, Variant: variant };
  return { path: "/libpod/images/pull", query };
}
