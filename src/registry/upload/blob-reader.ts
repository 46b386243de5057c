import type { Blob, BlobReading } from "../blob.js";

const nothing = Buffer.alloc(0);

/** A blob, read piece by piece; a piece that is asked for again is read again. */
export class BlobReader {
  private readonly blob: Blob;
  private reading: BlobReading | undefined;
  private chunks: AsyncIterator<Buffer> | undefined;
  private position = 0;
  /** What was read and not yet given. */
  private rest: Buffer = nothing;

  constructor(blob: Blob) {
    this.blob = blob;
  }

  /** The bytes from one offset to another. They are about to come once this resolves, however long the way there is. */
  async piece(from: number, to: number): Promise<AsyncIterable<Buffer>> {
    await this.seek(from);
    return this.until(to);
  }

  /** Known, or found by having read everything. */
  async digest(): Promise<string> {
    if (this.blob.digest !== undefined) return this.blob.digest;
    await this.seek(this.blob.size);
    if (!this.reading) throw new Error("a blob was not read");
    return this.reading.digest;
  }

  async close(): Promise<void> {
    const { chunks } = this;
    this.reading = undefined;
    this.chunks = undefined;
    await chunks?.return?.();
  }

  private async seek(offset: number): Promise<void> {
    if (!this.reading || this.position !== offset) {
      await this.close();
      this.position = offset;
      this.rest = nothing;
      this.reading = this.blob.open(offset);
      // It is looked at when everything was read; until then a failure shows in the reading itself.
      this.reading.digest.catch(() => {});
      this.chunks = this.reading[Symbol.asyncIterator]();
    }
    if (this.rest.length === 0) await this.fill();
  }

  private async fill(): Promise<boolean> {
    do {
      const next = await this.chunks?.next();
      if (next === undefined || next.done === true) return false;
      this.rest = next.value;
    } while (this.rest.length === 0);
    return true;
  }

  private async *until(to: number): AsyncGenerator<Buffer> {
    while (this.position < to) {
      if (this.rest.length === 0 && !(await this.fill())) {
        throw new Error(`${this.blob.title} ended after ${this.position} bytes`);
      }
      const chunk = this.rest.subarray(0, to - this.position);
      this.rest = this.rest.subarray(chunk.length);
      this.position += chunk.length;
      yield chunk;
    }
  }
}
