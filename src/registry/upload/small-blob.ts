import { UserError } from "../../errors.js";
import type { Blob } from "../blob.js";
import { bytesBlob } from "../file-blob.js";

/** Up to here a blob is read into memory and sent with its commit. */
const small = 1024 * 1024;

export function isSmall(blob: Blob): boolean {
  return blob.size <= small;
}

/** A small blob, read once. */
export async function inMemory(blob: Blob): Promise<Blob> {
  const chunks: Buffer[] = [];
  for await (const chunk of blob.open()) chunks.push(Buffer.from(chunk));
  const read = bytesBlob(Buffer.concat(chunks), blob);
  if (read.size === blob.size && (blob.digest ?? read.digest) === read.digest) return read;
  throw new UserError("file_failed", `${blob.title} does not hold the bytes that it held.`, {
    why: `Its digest is ${read.digest} now, not ${blob.digest ?? "known"}.`,
    hint: "Start again; nothing was sent.",
  });
}
