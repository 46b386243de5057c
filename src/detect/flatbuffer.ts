import { damaged } from "./damaged.js";
import type { SourceFile } from "./source.js";

const window = 65_536;

/**
 * A FlatBuffer inside a file, read by following its offsets: nothing else of it is read. Every offset is checked by
 * SourceFile, which refuses what is outside of the file.
 */
export class FlatBuffer {
  readonly #file: SourceFile;
  readonly #start: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(file: SourceFile, start: number) {
    this.#file = file;
    this.#start = start;
  }

  async root(): Promise<FlatTable> {
    return new FlatTable(this, await this.uint32(0));
  }

  async uint32(at: number): Promise<number> {
    return (await this.bytes(at, 4)).readUInt32LE(0);
  }

  async bytes(at: number, length: number): Promise<Buffer> {
    const position = this.#start + at;
    const from = position - this.#at;
    if (from >= 0 && from + length <= this.#bytes.length) return this.#bytes.subarray(from, from + length);
    if (length > window) return await this.#file.bytes(position, length);
    if (!(at >= 0) || position + length > this.#file.size) throw this.broken();
    this.#bytes = await this.#file.bytes(position, Math.min(window, this.#file.size - position));
    this.#at = position;
    return this.#bytes.subarray(0, length);
  }

  async text(at: number, limit: number): Promise<string> {
    const length = await this.uint32(at);
    if (length > limit) throw this.broken();
    return (await this.bytes(at + 4, length)).toString("utf8");
  }

  broken(): Error {
    return damaged(this.#file.path, "An offset in it leads to nothing.");
  }
}

export class FlatTable {
  readonly #buffer: FlatBuffer;
  readonly #at: number;

  constructor(buffer: FlatBuffer, at: number) {
    this.#buffer = buffer;
    this.#at = at;
  }

  async int32(field: number): Promise<number | undefined> {
    const at = await this.#field(field);
    return at === undefined ? undefined : (await this.#buffer.bytes(at, 4)).readInt32LE(0);
  }

  async text(field: number, limit: number): Promise<string | undefined> {
    const at = await this.#target(field);
    return at === undefined ? undefined : await this.#buffer.text(at, limit);
  }

  async table(field: number): Promise<FlatTable | undefined> {
    const at = await this.#target(field);
    return at === undefined ? undefined : new FlatTable(this.#buffer, at);
  }

  /** A vector of tables. */
  async tables(field: number, limit: number): Promise<FlatTable[]> {
    const at = await this.#target(field);
    if (at === undefined) return [];
    const count = await this.#buffer.uint32(at);
    if (count > limit) throw this.#buffer.broken();
    const tables: FlatTable[] = [];
    for (let index = 0; index < count; index += 1) {
      const entry = at + 4 + 4 * index;
      tables.push(new FlatTable(this.#buffer, entry + (await this.#buffer.uint32(entry))));
    }
    return tables;
  }

  /** Number of values in a vector. */
  async count(field: number): Promise<number> {
    const at = await this.#target(field);
    return at === undefined ? 0 : await this.#buffer.uint32(at);
  }

  async #target(field: number): Promise<number | undefined> {
    const at = await this.#field(field);
    return at === undefined ? undefined : at + (await this.#buffer.uint32(at));
  }

  /** Where the value of a field stands: the table's vtable tells. */
  async #field(field: number): Promise<number | undefined> {
    const vtable = this.#at - (await this.#buffer.bytes(this.#at, 4)).readInt32LE(0);
    const size = (await this.#buffer.bytes(vtable, 2)).readUInt16LE(0);
    const entry = 4 + 2 * field;
    if (entry + 2 > size) return undefined;
    const offset = (await this.#buffer.bytes(vtable + entry, 2)).readUInt16LE(0);
    return offset === 0 ? undefined : this.#at + offset;
  }
}
