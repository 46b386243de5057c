import type { IncomingMessage } from "node:http";
import { interrupted, throwIfAborted, UserError } from "../errors.js";
import type { Reporter } from "../reporter.js";
import type { Credential } from "./auth/credential.js";
import { compareVersions, type Engine } from "./client.js";
import { registryOf } from "./dockerfile-text.js";
import { engineError, engineMessage, isConnectionLoss, statusOf } from "./errors.js";
import { inspectImage, splitReference } from "./images.js";
import { jsonLines } from "./json-lines.js";
import { isLoopback, registryAuthHeader } from "./registry-auth.js";
import { registryError } from "./registry-failure.js";
import { streamRequest } from "./request.js";
import { LayerTasks, type TransferRow, transferError } from "./transfer-rows.js";

export interface PushOutcome {
  /** `sha256:...` of the manifest, as the engine told it. */
  digest: string;
  /** Bytes of the manifest, where the engine told it. */
  size: number | undefined;
  /**
   * Bytes of layers sent, as the engine counts them (unpacked on the classic store): an estimate. The image's size where
   * the engine does not count at all (Podman); too little where it leaves out layers that were quick.
   */
  bytesSent: number;
  /** Bytes of layers that the registry had already: an estimate. */
  bytesSkipped: number;
}

/**
 * Pushes one tag through the engine. `ref` must have a tag: without one the engine would push all of them.
 * Throws UserError `push_failed`, `denied`, `authentication`, `image_not_found`, `disk_full`, `engine_unreachable` or
 * `interrupted`.
 */
export async function pushImage(
  engine: Engine,
  ref: string,
  credential: Credential | undefined,
  report: Reporter,
  signal?: AbortSignal,
): Promise<PushOutcome> {
  throwIfAborted(signal);
  const { repo, tag } = splitReference(ref);
  if (ref.includes("@") || !ref.endsWith(`:${tag}`))
    throw new UserError("reference", `"${ref}" has no tag.`, { hint: "Push one tag by its full name." });
  const image = await inspectImage(engine, ref, signal);
  if (image === undefined)
    throw new UserError("image_not_found", `The engine has no image ${ref}.`, {
      hint: "Build it first, or check the name with `docker images`.",
    });

  const registry = registryOf(ref);
  const layers = new LayerTasks(report, `push ${ref}`);
  const failed = (message: string) => registryError(message, { image: ref, code: "push_failed" });
  const end = new PushEnd();
  let stream: IncomingMessage | undefined;
  try {
    stream = await streamRequest(engine.docker, {
      method: "POST",
      path: `/images/${encodeURI(repo)}/push`,
      query: { tag, ...pushQuery(engine, registry, image.platform) },
      headers: registryAuthHeader(credential, registry),
      signal,
    });
    stream.on("error", () => {});
    for await (const row of jsonLines<TransferRow>(stream)) {
      const error = transferError(row);
      if (error !== undefined) throw failed(error);
      end.take(row);
      layers.take(row);
    }
    if (end.digest === undefined) throw failed("The engine's answer ended without a digest.");
    layers.finish("done");
  } catch (error) {
    layers.finish("failed");
    if (signal?.aborted) throw interrupted();
    if (statusOf(error) !== undefined && !isConnectionLoss(error)) throw failed(engineMessage(error));
    throw engineError(error, `pushing ${ref}`);
  } finally {
    stream?.destroy();
  }
  // Podman says nothing about layers, and others nothing about the bytes of quick ones.
  const bytesSent = layers.bytesMoved > 0 || layers.anySkipped ? layers.bytesMoved : image.size;
  const bytesSkipped = layers.anySkipped ? Math.max(0, image.size - bytesSent) : 0;
  return { digest: end.digest, size: end.size, bytesSent, bytesSkipped };
}

/** Finds the digest: an `aux` row on Docker, the text of the last row on Podman. */
class PushEnd {
  digest: string | undefined;
  size: number | undefined;

  take(row: TransferRow): void {
    const aux = row.aux as { Digest?: unknown; Size?: unknown } | null | undefined;
    const said = /\bdigest: (sha256:[0-9a-f]{64})(?: size: (\d+))?/.exec(row.status ?? row.stream ?? "");
    if (typeof aux?.Digest === "string") this.digest = aux.Digest;
    else if (said?.[1]) this.digest ??= said[1];
    if (typeof aux?.Size === "number") this.size = aux.Size;
    else if (said?.[2]) this.size ??= Number(said[2]);
  }
}

function pushQuery(engine: Engine, registry: string, platform: string): Record<string, unknown> {
  // Docker takes registries on loopback as plain HTTP by itself; Podman has to be told.
  if (engine.info.kind === "podman") return isLoopback(registry) ? { tlsVerify: false } : {};
  // The containerd store would push an index around the one manifest. Engines before API 1.46 cannot be asked not to.
  if (engine.info.store !== "containerd" || compareVersions(engine.info.apiVersion, "1.46") < 0) return {};
  const [os, architecture, variant] = platform.split("/");
  return { platform: JSON.stringify({ os, architecture, variant }) };
}
