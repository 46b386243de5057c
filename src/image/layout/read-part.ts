import type { FileHandle } from "node:fs/promises";
import { UserError } from "../../errors.js";

const chunkBytes = 1024 * 1024;

/** Reads `size` bytes that start at `start` of a file, from the offset `from` on, through one buffer. */
export async function* readPart(
  file: FileHandle,
  path: string,
  { start, size, from }: { start: number; size: number; from: number },
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(0, size - from)));
  for (let at = from; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), start + at);
    if (bytesRead === 0) {
      throw new UserError("file_failed", `${path} is not what it was.`, {
        why: "It has become shorter while it was read.",
        hint: "Wait until whatever writes it has finished, then start again.",
      });
    }
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
