import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { UserError } from "../errors.js";
import { pathBelow } from "./layer-path.js";
import { writeError } from "./write-error.js";

/** As tar-stream gives it; its declarations do not name the type. */
type Entry = ReturnType<typeof extract> extends AsyncIterable<infer E> ? E : never;

export interface UnpackOptions {
  /** What of the layer is unpacked: the model folder, or the one model file (`app/model`). */
  root: string;
  /** A folder of ours that is there: files are written here, under numbers, until the layer has proven right. */
  stage: string;
  /** Bytes of the layer's first file that an earlier run has left in `stage`; they are read again, not written again. */
  kept?: number;
}

export interface UnpackedFile {
  /** Below the model folder, with forward slashes. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest: string;
  /** Where it is for now. */
  staged: string;
}

/** No layer of ours has more; a hostile one could fill a disk with names. */
const mostFiles = 100_000;

/**
 * Unpacks a weight layer, an uncompressed tar, into `stage` as it comes. Only files and folders below `root` are
 * taken; anything else, or anything that would lead out of it, ends in UserError `registry_failed`.
 * The chunks of `layer` have to stay as they are.
 */
export async function unpackLayer(
  layer: AsyncIterable<Buffer>,
  options: UnpackOptions,
): Promise<UnpackedFile[]> {
  let broken: { error: unknown } | undefined;
  let damaged: Error | undefined;
  const tar = extract();
  tar.once("error", (error: Error) => {
    damaged = error;
  });
  const source = Readable.from(
    noting(layer, (error) => {
      broken = { error };
    }),
    { objectMode: true, highWaterMark: 1 },
  );
  const fed = pipeline(source, tar as unknown as Writable);
  fed.catch(() => {});
  const files = new Map<string, UnpackedFile>();
  try {
    for await (const entry of tar) await takeEntry(entry, files, options);
    await fed;
    return [...files.values()];
  } catch (error) {
    // What the layer itself failed with comes first: the tar only notices that it ended.
    tar.destroy();
    await fed.catch(() => {});
    if (broken) throw broken.error;
    if (damaged === undefined) throw error;
    throw new UserError("registry_failed", "A weight layer cannot be read.", {
      why: `It is no tar as modelship writes it (${damaged.message}).`,
      cause: damaged,
    });
  }
}

async function takeEntry(
  entry: Entry,
  files: Map<string, UnpackedFile>,
  { root, stage, kept = 0 }: UnpackOptions,
): Promise<void> {
  const { name, type, size = 0, mode = 0 } = entry.header;
  if (type === "directory") {
    pathBelow(root, name);
    entry.resume();
    return;
  }
  if (type !== "file") throw refused(name, `it is a ${type ?? "thing of an unknown kind"}`);
  const path = pathBelow(root, name);
  if (path === undefined) throw refused(name, "it lies outside of the model folder");
  if (files.has(path)) throw refused(name, "it comes twice");
  if (files.size === mostFiles) throw refused(name, `no layer has more than ${mostFiles} files`);
  const staged = join(stage, String(files.size));
  const digest = await writeEntry(entry as AsyncIterable<Buffer>, staged, {
    size,
    mode: mode & 0o111 ? 0o755 : 0o644,
    kept: files.size === 0 ? kept : 0,
  });
  files.set(path, { path, size, digest, staged });
}

async function writeEntry(
  entry: AsyncIterable<Buffer>,
  staged: string,
  { size, mode, kept }: { size: number; mode: 0o644 | 0o755; kept: number },
): Promise<string> {
  const hash = createHash("sha256");
  let handle: FileHandle | undefined;
  try {
    handle = await open(staged, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    let position = 0;
    for await (const chunk of entry) {
      const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, kept - position)));
      position += chunk.length;
      // The disk works while we hash.
      const written = writeAll(handle, fresh, position - fresh.length);
      hash.update(chunk);
      await written;
    }
    await handle.truncate(size);
    await handle.chmod(mode);
  } catch (error) {
    throw writeError(error, staged);
  } finally {
    await handle?.close();
  }
  return `sha256:${hash.digest("hex")}`;
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** Passes bytes on and notes what they end with, but not what whoever reads them throws. */
async function* noting(layer: AsyncIterable<Buffer>, note: (error: unknown) => void): AsyncGenerator<Buffer> {
  const chunks = layer[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        note(error);
        throw error;
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

function refused(name: string, why: string): UserError {
  return new UserError("registry_failed", "A weight layer holds something that is not unpacked.", {
    why: `${JSON.stringify(name.slice(0, 200))}: ${why}.`,
    hint: "Do not use this image; modelship makes no such layers.",
  });
}
