import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { Spool } from "./spool.js";

/** A blob on its way into the spool: hashed as it is written, under its name only once it is whole and right. */
export class BlobWriting {
  private readonly spool: Spool;
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly hash: Hash = createHash("sha256");
  private ended = false;
  /** Bytes written so far. */
  size = 0;

  private constructor(spool: Spool, file: FileHandle, path: string) {
    this.spool = spool;
    this.file = file;
    this.path = path;
  }

  static async begin(spool: Spool): Promise<BlobWriting> {
    const path = spool.partPath();
    return new BlobWriting(spool, await open(path, "wx", 0o600), path);
  }

  async write(chunk: Buffer): Promise<void> {
    this.hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await this.file.write(chunk, at)).bytesWritten;
    this.size += chunk.length;
  }

  /** The digest of what was written. Without an expected one, or with the same, the blob is in the spool from now on. */
  async finish(expected?: string): Promise<string> {
    if (this.ended) throw new Error("the blob was ended before");
    this.ended = true;
    const digest = `sha256:${this.hash.digest("hex")}`;
    const right = expected === undefined || expected === digest;
    await this.file.close();
    if (right) {
      await rename(this.path, this.spool.pathOf(digest));
      this.spool.added(digest, this.size);
    } else await rm(this.path, { force: true });
    return digest;
  }

  /** Ends it for good and leaves nothing; a finished one stays as it is. */
  async drop(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.file.close().catch(() => {});
    await rm(this.path, { force: true });
  }
}
