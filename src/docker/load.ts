import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { interrupted, throwIfAborted, UserError } from "../errors.js";
import { type Reporter, silent } from "../reporter.js";
import type { Engine } from "./client.js";
import { engineError, isDiskFull } from "./errors.js";
import { jsonLines } from "./json-lines.js";
import { streamRequest } from "./request.js";
import { LayerTasks, type TransferRow, transferError } from "./transfer-rows.js";

export interface LoadOutcome {
  /** Names that the archive gave its images. */
  names: string[];
  /** Ids (`sha256:...`) of images without a name. */
  ids: string[];
}

/**
 * Loads an image archive, streamed. Resolves when the engine has taken all of it.
 * Throws UserError `failed`, `disk_full`, `engine_unreachable`, `interrupted`, or what the stream itself failed with.
 */
export async function loadImage(
  engine: Engine,
  archive: Readable,
  options: { report?: Reporter; signal?: AbortSignal | undefined } = {},
): Promise<LoadOutcome> {
  const { signal } = options;
  throwIfAborted(signal);
  const layers = new LayerTasks(options.report ?? silent, "load");
  const outcome: LoadOutcome = { names: [], ids: [] };
  let broken: Error | undefined;
  archive.once("error", (error: Error) => {
    broken = error;
  });
  let stream: IncomingMessage | undefined;
  try {
    stream = await streamRequest(engine.docker, {
      method: "POST",
      path: "/images/load",
      query: { quiet: false },
      file: archive,
      headers: { "Content-Type": "application/x-tar" },
      signal,
    });
    stream.on("error", () => {});
    for await (const row of jsonLines<TransferRow>(stream)) {
      const error = transferError(row);
      if (error !== undefined) throw loadFailed(error);
      const named = /^Loaded image(?:\(s\))?: (.+)$/m.exec(row.stream ?? "");
      const bare = /^Loaded image ID: (\S+)$/m.exec(row.stream ?? "");
      if (bare?.[1]) outcome.ids.push(bare[1]);
      else if (named?.[1]) outcome.names.push(...named[1].split(",").map((name) => name.trim()));
      layers.take(row);
    }
    layers.finish("done");
    return outcome;
  } catch (error) {
    layers.finish("failed");
    if (signal?.aborted) throw interrupted();
    throw engineError(broken ?? error, "loading an image");
  } finally {
    stream?.destroy();
    archive.destroy();
  }
}

function loadFailed(message: string): UserError {
  if (isDiskFull(message)) return engineError(new Error(message), "loading an image");
  return new UserError("failed", "The engine could not load the image.", { why: message });
}

/** Images as one archive, as `docker save` writes it. The caller reads or destroys the stream. */
export async function saveImage(
  engine: Engine,
  refs: readonly string[],
  signal?: AbortSignal,
): Promise<Readable> {
  throwIfAborted(signal);
  const query = { names: [...refs] };
  try {
    return await streamRequest(engine.docker, { method: "GET", path: "/images/get", query, signal });
  } catch (error) {
    if (signal?.aborted) throw interrupted();
    throw engineError(error, `exporting ${refs.join(", ")}`);
  }
}
