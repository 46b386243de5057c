import { type FileHandle, open } from "node:fs/promises";
import { messageOf, UserError } from "../errors.js";
import type { Blob, BlobReading } from "./blob.js";
import { digestOf } from "./manifest.js";

export interface BlobFacts {
  title: string;
  mediaType: string;
}

export interface FileBlobFacts extends BlobFacts {
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

const chunkBytes = 1024 * 1024;

/** A whole blob that lies in a file of its own, its size and digest known. Nothing is opened before it is read. */
export function fileBlob(path: string, facts: FileBlobFacts): Blob {
  const { title, mediaType, size, digest } = facts;
  return {
    title,
    mediaType,
    size,
    digest,
    identity: digest,
    open: (from = 0) => reading(digest, readFileFrom(path, size, from)),
  };
}

/** A blob in memory: for configurations and other small documents. */
export function bytesBlob(bytes: Buffer, facts: BlobFacts): Blob {
  const digest = digestOf(bytes);
  return {
    ...facts,
    size: bytes.length,
    digest,
    identity: digest,
    open: (from = 0) => reading(digest, oneChunk(bytes, from)),
  };
}

function reading(digest: string, chunks: AsyncIterable<Buffer>): BlobReading {
  return { digest: Promise.resolve(digest), [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator]() };
}

async function* oneChunk(bytes: Buffer, from: number): AsyncGenerator<Buffer> {
  if (from < bytes.length) yield bytes.subarray(from);
}

/** One buffer for the whole reading, filled again for each chunk. */
async function* readFileFrom(path: string, size: number, from: number): AsyncGenerator<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    if ((await file.stat()).size !== size) throw changed(path);
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(0, size - from)));
    for (let at = from; at < size; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
      if (bytesRead === 0) throw changed(path);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("file_failed", `${path} cannot be read.`, { why: messageOf(error), cause: error });
  } finally {
    await file?.close();
  }
}

function changed(path: string): UserError {
  return new UserError("file_failed", `${path} is not what it was.`, {
    why: "Its size is another one than when it was written.",
    hint: "Start again.",
  });
}
