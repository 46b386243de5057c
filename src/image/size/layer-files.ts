import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { messageOf, UserError } from "../../errors.js";

/** A file of a layer, with a reader for those few whose content says something. */
export interface LayerFile {
  /** Without a leading slash. */
  path: string;
  size: number;
  text: (most: number) => Promise<string>;
}

/** Reads a layer's tar, plain or gzipped, as it comes; nothing is unpacked and no file is kept. */
export async function readLayerFiles(
  bytes: AsyncIterable<Buffer>,
  take: (file: LayerFile) => Promise<void> | void,
): Promise<void> {
  const [start, all] = await peeked(bytes);
  if (start.readUInt32LE?.(0) === 0xfd2fb528 && start.length >= 4)
    throw unreadable("It is compressed with zstd.");
  const tar = extract();
  const gzipped = start[0] === 0x1f && start[1] === 0x8b;
  const steps = gzipped ? [all, createGunzip(), tar] : [all, tar];
  const fed = pipeline(steps as unknown as [Readable, Writable]);
  fed.catch(() => {});
  try {
    for await (const entry of tar) {
      const { name, size = 0, type } = entry.header;
      const path = name.replace(/^(\.?\/)+/, "");
      let read = false;
      const text = async (most: number) => {
        read = true;
        const chunks: Buffer[] = [];
        let length = 0;
        for await (const chunk of entry as AsyncIterable<Buffer>) {
          length += chunk.length;
          if (length <= most) chunks.push(chunk);
        }
        return length <= most ? Buffer.concat(chunks).toString() : "";
      };
      if (type === "file" && path !== "") await take({ path, size, text });
      if (!read) entry.resume();
    }
    await fed;
  } catch (error) {
    tar.destroy();
    throw error instanceof UserError ? error : unreadable(`It is no whole tar (${messageOf(error)}).`);
  }
}

function unreadable(why: string): UserError {
  return new UserError("failed", "A layer of the image cannot be read.", { why });
}

/** The first bytes, and all of them. */
async function peeked(bytes: AsyncIterable<Buffer>): Promise<[Buffer, AsyncIterable<Buffer>]> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  const start = first.done ? Buffer.alloc(0) : first.value;
  const all = async function* () {
    if (!first.done) yield start;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return [start, all()];
}
