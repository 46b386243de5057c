import type { Readable } from "node:stream";
import { damaged } from "./damaged.js";
import type { SourceFile } from "./source.js";

/** Where a cursor's bytes come from. `skip` goes forward without giving the bytes, by seeking where that is possible. */
interface Supply {
  /** The next bytes, at most `wanted` of them; an empty buffer at the end. */
  next(wanted: number): Promise<Buffer>;
  /** How many bytes were left out: fewer than `length` at the end. */
  skip(length: number): Promise<number>;
}

/** The content goes on, and no more of it is read. */
export class LimitReached extends Error {}

/** Read at once: little after a leap, as the next leap may follow, and more the longer all is read in turn. */
const smallestWindow = 65_536;
const largestWindow = 1024 * 1024;
const nothing = Buffer.alloc(0);

/**
 * Goes through bytes once, from the front, and keeps a small window of them. Make sure of bytes with `ensure`
 * (asynchronous), then take them with the others (synchronous): a format of many small parts stays fast this way.
 */
export class ByteCursor {
  /** For messages. */
  readonly path: string;
  readonly #supply: Supply;
  #buffer: Buffer = nothing;
  #at = 0;
  #before = 0;
  #window = smallestWindow;

  private constructor(path: string, supply: Supply) {
    this.path = path;
    this.#supply = supply;
  }

  static ofFile(file: SourceFile, start = 0, end = file.size): ByteCursor {
    let offset = start;
    return new ByteCursor(file.path, {
      async next(wanted) {
        const bytes = await file.bytes(offset, Math.min(wanted, Math.max(0, end - offset)));
        offset += bytes.length;
        return bytes;
      },
      async skip(length) {
        const left = Math.min(length, Math.max(0, end - offset));
        offset += left;
        return left;
      },
    });
  }

  /**
   * Of a stream, such as inflated bytes; `limit` bounds what comes out of it, as a few bytes can inflate to any number.
   * The caller destroys the stream. A failure of the stream is thrown as a damaged file. After `until`
   * (by performance.now) a LimitReached is thrown, and at the limit as well: for a caller who makes do with a part.
   */
  static ofStream(path: string, stream: Readable, limit: number, until?: number): ByteCursor {
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let spare: Buffer = nothing;
    let total = 0;
    const pull = async (): Promise<Buffer> => {
      if (spare.length > 0) {
        const bytes = spare;
        spare = nothing;
        return bytes;
      }
      let result: IteratorResult<Buffer>;
      try {
        result = await chunks.next();
      } catch (error) {
        throw damaged(path, "Its compressed content is broken.", error);
      }
      if (result.done) return nothing;
      total += result.value.length;
      if (until !== undefined && (total > limit || performance.now() > until)) throw new LimitReached();
      if (total > limit) throw damaged(path, `Its content inflates to more than ${limit} bytes.`);
      return result.value;
    };
    return new ByteCursor(path, {
      next: pull,
      async skip(length) {
        let skipped = 0;
        while (skipped < length) {
          const bytes = await pull();
          if (bytes.length === 0) break;
          const used = Math.min(bytes.length, length - skipped);
          spare = bytes.subarray(used);
          skipped += used;
        }
        return skipped;
      },
    });
  }

  static ofBuffer(path: string, bytes: Buffer): ByteCursor {
    const cursor = new ByteCursor(path, { next: async () => nothing, skip: async () => 0 });
    cursor.#buffer = bytes;
    return cursor;
  }

  /** Bytes from the start. */
  get position(): number {
    return this.#before + this.#at;
  }

  /** Bytes that can be taken without `ensure`. */
  get ready(): number {
    return this.#buffer.length - this.#at;
  }

  /** Whether `length` bytes can be taken now. False only where the content ends before. */
  async ensure(length: number): Promise<boolean> {
    if (this.ready >= length) return true;
    const parts = [this.#buffer.subarray(this.#at)];
    let held = this.ready;
    while (held < length) {
      const bytes = await this.#supply.next(Math.max(this.#window, length - held));
      this.#window = Math.min(largestWindow, 2 * this.#window);
      if (bytes.length === 0) break;
      parts.push(bytes);
      held += bytes.length;
    }
    this.#before += this.#at;
    this.#at = 0;
    this.#buffer = parts.length === 1 ? (parts[0] ?? nothing) : Buffer.concat(parts, held);
    return held >= length;
  }

  /** Throws UserError `model_file` where the content ends before. */
  async require(length: number): Promise<void> {
    if (this.ready < length && !(await this.ensure(length))) throw this.cutShort();
  }

  /** A view that holds until the next `ensure`; copy it to keep it. */
  take(length: number): Buffer {
    if (length > this.ready) throw this.cutShort();
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }

  /** All bytes that are ready, without taking them: for a search through much. */
  view(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  peek(): number | undefined {
    return this.#buffer[this.#at];
  }

  byte(): number {
    const value = this.#buffer[this.#at];
    if (value === undefined) throw this.cutShort();
    this.#at += 1;
    return value;
  }

  /** A copy of this many bytes, of which there may be at most `limit`. */
  async bytes(length: number, limit: number): Promise<Buffer> {
    if (length > limit) throw damaged(this.path, `One part of it claims ${length} bytes.`);
    await this.require(length);
    return Buffer.from(this.take(length));
  }

  /** Goes forward over bytes that are ready. False, and nothing done, where they are not. */
  pass(length: number): boolean {
    if (!(length >= 0 && length <= this.ready)) return false;
    this.#at += length;
    return true;
  }

  /** Goes forward without keeping anything. Throws UserError `model_file` where the content ends before. */
  async skip(length: number): Promise<void> {
    if (!(length >= 0)) throw damaged(this.path, "A length in it is negative.");
    if (length <= this.ready) {
      this.#at += length;
      return;
    }
    const beyond = length - this.ready;
    this.#window = smallestWindow;
    this.#before += this.#buffer.length;
    this.#buffer = nothing;
    this.#at = 0;
    const skipped = await this.#supply.skip(beyond);
    this.#before += skipped;
    if (skipped < beyond) throw this.cutShort();
  }

  /** The bytes before the next newline, which is taken too. Throws when the line is longer than `limit` or has no end. */
  async line(limit: number): Promise<Buffer> {
    let searched = 0;
    for (;;) {
      const end = this.#buffer.indexOf(10, this.#at + searched);
      if (end >= 0 && end - this.#at <= limit) {
        const bytes = Buffer.from(this.take(end - this.#at));
        this.#at += 1;
        return bytes;
      }
      searched = this.ready;
      if (searched > limit) throw damaged(this.path, `A line in it is longer than ${limit} bytes.`);
      if (!(await this.ensure(searched + 1))) throw this.cutShort();
    }
  }

  cutShort(): Error {
    return damaged(this.path, "Its content ends too early.");
  }
}
