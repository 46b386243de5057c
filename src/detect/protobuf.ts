import { throwIfAborted } from "../errors.js";
import type { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";

/** One field of a message. Of a length-delimited one, the content is still ahead of the cursor. */
export interface WireField {
  number: number;
  type: "varint" | "fixed64" | "bytes" | "fixed32";
  /** Of a varint (signed, inexact beyond 2^53); the length of a length-delimited field; 0 for a fixed one. */
  value: number;
}

const types = ["varint", "fixed64", "bytes", undefined, undefined, "fixed32"] as const;

/** Fields of all messages of one file: a file of nothing but tiny fields must end, too. */
const mostFields = 20_000_000;
/** Honest graphs of a hundred thousand nodes take a part of a second. */
const mostTime = 5000;
const deepest = 64;
const longestVarint = 10;

/**
 * Goes through the wire format of a file of any size and holds nothing of it: what is not asked for is passed over
 * by seeking. Every message has to end where its parent says, so a file of another format is soon found out.
 */
export class WireReader {
  readonly cursor: ByteCursor;
  readonly #signal: AbortSignal | undefined;
  readonly #end = performance.now() + mostTime;
  #fields = 0;
  #depth = 0;

  constructor(cursor: ByteCursor, signal?: AbortSignal) {
    this.cursor = cursor;
    this.#signal = signal;
  }

  /**
   * Calls `visit` with each field of the message of the next `length` bytes. `visit` takes the content of a
   * length-delimited field with `text`, `bytes` or another `message`; what it leaves is passed over.
   */
  async message(length: number, visit: (field: WireField) => Promise<unknown> | undefined): Promise<void> {
    const { cursor } = this;
    const end = cursor.position + length;
    this.#depth += 1;
    if (this.#depth > deepest) throw damaged(cursor.path, `Its messages are nested over ${deepest} deep.`);
    while (cursor.position < end) {
      this.#fields += 1;
      if (this.#fields > mostFields) throw damaged(cursor.path, `It has over ${mostFields} fields.`);
      if (this.#fields % 4096 === 0) this.#look();
      if (cursor.ready < 2 * longestVarint) await cursor.ensure(2 * longestVarint);
      const key = this.#varint();
      const number = Math.floor(key / 8);
      const type = types[key % 8];
      if (!type || number < 1 || number > 536_870_911)
        throw damaged(cursor.path, "A field in it has no valid key.");
      const field: WireField = {
        number,
        type,
        value: type === "varint" || type === "bytes" ? this.#varint() : 0,
      };
      const size = type === "bytes" ? field.value : type === "fixed64" ? 8 : type === "fixed32" ? 4 : 0;
      const next = cursor.position + size;
      if (!(size >= 0) || next > end)
        throw damaged(cursor.path, "A field in it is longer than what holds it.");
      const pending = visit(field);
      if (pending) await pending;
      const left = next - cursor.position;
      if (left < 0) throw damaged(cursor.path, "A field in it is shorter than what it holds.");
      if (left > 0) await cursor.skip(left);
    }
    if (cursor.position !== end) throw damaged(cursor.path, "A message in it is longer than what holds it.");
    this.#depth -= 1;
  }

  #look(): void {
    throwIfAborted(this.#signal);
    if (performance.now() > this.#end)
      throw damaged(this.cursor.path, "It has more fields than can be read in time.");
  }

  /** The content of a length-delimited field. */
  async bytes(field: WireField, limit: number): Promise<Buffer> {
    if (field.type !== "bytes") throw damaged(this.cursor.path, "A field in it has the wrong type.");
    return await this.cursor.bytes(field.value, limit);
  }

  async text(field: WireField, limit: number): Promise<string> {
    return (await this.bytes(field, limit)).toString("utf8");
  }

  /** A repeated number comes either one a field or packed into one field. */
  async numbers(field: WireField, into: number[], limit: number): Promise<void> {
    if (field.type === "varint") {
      into.push(field.value);
    } else if (field.type === "bytes") {
      const { cursor } = this;
      const end = cursor.position + field.value;
      while (cursor.position < end && into.length <= limit) {
        if (cursor.ready < longestVarint) await cursor.ensure(longestVarint);
        into.push(this.#varint());
      }
    }
    if (into.length > limit) throw damaged(this.cursor.path, `A list in it has over ${limit} numbers.`);
  }

  #varint(): number {
    const { cursor } = this;
    let low = cursor.byte();
    if (low < 0x80) return low;
    low &= 0x7f;
    let high = 0;
    for (let index = 1; index < longestVarint; index += 1) {
      const byte = cursor.byte();
      const bits = byte & 0x7f;
      if (index < 4) low += bits * 2 ** (7 * index);
      else high += bits * 2 ** (7 * (index - 4));
      if (byte < 0x80) {
        // 28 bits are in `low`, the rest in `high`, whose 36th bit is the sign
        const unsigned = high % 2 ** 36;
        return low + (unsigned >= 2 ** 35 ? unsigned - 2 ** 36 : unsigned) * 2 ** 28;
      }
    }
    throw damaged(cursor.path, "A number in it has more than 10 bytes.");
  }
}
