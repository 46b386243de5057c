import { Readable } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import { throwIfAborted } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import type { SourceFile } from "./source.js";

/** Large, as most of it is passed over. */
const chunkSize = 256 * 1024;

export type Compression = "zlib" | "gzip" | "xz" | "lzma" | "bzip2" | "lz4" | "zstd";

const magics: readonly [Compression, readonly number[]][] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["lzma", [0x5d, 0x00, 0x00]],
];

/** By the first bytes; the name says nothing. */
export function compressionOf(head: Buffer): Compression | undefined {
  const known = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  if (known) return known[0];
  // Deflate with a window of at most 32 KiB, and a check over the two bytes
  const isZlib = head.length > 2 && head[0] === 0x78 && head.readUInt16BE(0) % 31 === 0;
  return isZlib ? "zlib" : undefined;
}

/** Whether `inflated` can read it. The others would need a library each, for files that are rare. */
export function canInflate(compression: Compression): compression is "zlib" | "gzip" {
  return compression === "zlib" || compression === "gzip";
}

/** Lets `use` go through the inflated content until `limit` bytes came out or `until` has come: then LimitReached is thrown. */
export async function inflated<T>(
  file: SourceFile,
  compression: "zlib" | "gzip",
  bounds: { limit: number; until: number; signal: AbortSignal | undefined },
  use: (cursor: ByteCursor) => Promise<T>,
): Promise<T> {
  throwIfAborted(bounds.signal);
  const source = Readable.from(file.chunks(), { objectMode: false });
  const inflate = compression === "gzip" ? createGunzip({ chunkSize }) : createInflate({ chunkSize });
  source.on("error", (error) => inflate.destroy(error));
  inflate.on("error", () => source.destroy());
  source.pipe(inflate);
  try {
    return await use(ByteCursor.ofStream(file.path, inflate, bounds.limit, bounds.until));
  } finally {
    source.destroy();
    inflate.destroy();
  }
}
