import { createHash } from "node:crypto";
import type { Blob } from "../../src/registry/blob.js";

export interface TestBlob extends Blob {
  /** What its digest is, said or not. */
  readonly itsDigest: string;
  /** Times that it was opened, and where. */
  readonly opened: number[];
}

const chunkSize = 256 * 1024;

/** A blob in memory that keeps to the contract as sternly as it can: chunks are overwritten once the next is asked for. */
export function blobOf(
  content: Buffer,
  options: { digestKnown?: boolean; identity?: string } = {},
): TestBlob {
  const itsDigest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  const opened: number[] = [];
  return {
    title: "model/weights.bin",
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    size: content.length,
    digest: options.digestKnown === false ? undefined : itsDigest,
    identity: options.identity ?? itsDigest,
    itsDigest,
    opened,
    open(from = 0) {
      opened.push(from);
      let finish = (_: string) => {};
      const digest = new Promise<string>((resolve) => {
        finish = resolve;
      });
      async function* chunks() {
        const chunk = Buffer.alloc(chunkSize);
        for (let at = from; at < content.length; at += chunkSize) {
          const length = content.copy(chunk, 0, at, at + chunkSize);
          yield chunk.subarray(0, length);
          chunk.fill(0);
        }
        finish(itsDigest);
      }
      return Object.assign(chunks(), { digest });
    },
  };
}
