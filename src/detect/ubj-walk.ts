import { throwIfAborted } from "../errors.js";
import { type ByteCursor, LimitReached } from "./cursor.js";
import { damaged } from "./damaged.js";
import { type Choose, Picked } from "./picked.js";

const longestText = 65_536;
const mostItems = 20_000;
const mostKept = 8 * 1024 * 1024;
const deepest = 32;

/** Bytes of the types of a fixed size. */
const sizes: Readonly<Record<string, number>> = {
  Z: 0,
  N: 0,
  T: 0,
  F: 0,
  i: 1,
  U: 1,
  C: 1,
  I: 2,
  u: 2,
  l: 4,
  m: 4,
  L: 8,
  M: 8,
  d: 4,
  D: 8,
};

/** Picks values from a document in Universal Binary JSON (ubjson.org), as XGBoost writes it, of any size. */
export async function pickFromUbj(
  cursor: ByteCursor,
  choose: Choose,
  options: { signal?: AbortSignal | undefined; time: number },
): Promise<Picked> {
  const walk = new UbjWalk(cursor, choose, options.signal, performance.now() + options.time);
  try {
    await walk.document();
  } catch (error) {
    if (!(error instanceof LimitReached)) throw error;
    walk.picked.complete = false;
  }
  return walk.picked;
}

class UbjWalk {
  readonly picked = new Picked();
  readonly #cursor: ByteCursor;
  readonly #choose: Choose;
  readonly #signal: AbortSignal | undefined;
  readonly #end: number;
  #kept = 0;
  #values = 0;

  constructor(cursor: ByteCursor, choose: Choose, signal: AbortSignal | undefined, end: number) {
    this.#cursor = cursor;
    this.#choose = choose;
    this.#signal = signal;
    this.#end = end;
  }

  async document(): Promise<void> {
    if ((await this.#marker()) !== "{") throw this.#broken();
    await this.#object("", false, 0);
  }

  /** A value of this type; what it is only where it is kept. */
  async #value(type: string, path: string, keep: boolean, depth: number): Promise<unknown> {
    this.#values += 1;
    if (this.#values % 4096 === 0) {
      throwIfAborted(this.#signal);
      if (performance.now() > this.#end) throw new LimitReached();
    }
    if (depth > deepest) throw this.#broken();
    if (type === "{") return await this.#object(path, keep, depth);
    if (type === "[") return await this.#list(path, keep, depth);
    if (type === "S" || type === "H") {
      const length = await this.#length();
      if (keep) return (await this.#keep(length)).toString("utf8");
      await this.#cursor.skip(length);
      return undefined;
    }
    const size = sizes[type];
    if (size === undefined) throw this.#broken();
    await this.#cursor.require(size);
    return this.#scalar(type);
  }

  async #object(path: string, keep: boolean, depth: number): Promise<Record<string, unknown> | undefined> {
    const { type, count } = await this.#container();
    const kept: Record<string, unknown> = Object.create(null);
    for (let index = 0; count === undefined || index < count; index += 1) {
      if (count === undefined && (await this.#peek()) === "}") {
        this.#cursor.byte();
        break;
      }
      const length = await this.#length();
      if (length > longestText) throw this.#broken();
      const key = (await this.#cursor.bytes(length, longestText)).toString("utf8");
      const inner = path === "" ? key : `${path}/${key}`;
      const choice = keep ? "keep" : this.#choose(inner);
      const entered = choice === "skip" ? "\0" : inner; // no path below what is passed over is chosen
      const value = await this.#value(type ?? (await this.#marker()), entered, choice === "keep", depth + 1);
      if (choice === "keep") {
        if (keep) kept[key] = value;
        else this.picked.values.set(inner, value);
        this.#count(length + 16);
      }
    }
    return keep ? kept : undefined;
  }

  async #list(path: string, keep: boolean, depth: number): Promise<unknown[] | undefined> {
    const { type, count } = await this.#container();
    const size = type === undefined ? undefined : sizes[type];
    if (size !== undefined && count !== undefined && !keep) {
      if (count * size > Number.MAX_SAFE_INTEGER) throw this.#broken();
      await this.#cursor.skip(count * size);
      return undefined;
    }
    if (keep && count !== undefined && count > mostItems)
      throw damaged(this.#cursor.path, `A list in it claims ${count} values.`);
    const kept: unknown[] = [];
    for (let index = 0; count === undefined || index < count; index += 1) {
      if (count === undefined && (await this.#peek()) === "]") {
        this.#cursor.byte();
        break;
      }
      const value = await this.#value(
        type ?? (await this.#marker()),
        path === "" ? "" : "\0",
        keep,
        depth + 1,
      );
      if (keep) {
        kept.push(value);
        this.#count(16);
      }
    }
    return keep ? kept : undefined;
  }

  /** `$` type and `#` count after the opening bracket, where the writer gave them. */
  async #container(): Promise<{ type: string | undefined; count: number | undefined }> {
    let type: string | undefined;
    if ((await this.#peek()) === "$") {
      this.#cursor.byte();
      type = await this.#marker();
      if ((await this.#peek()) !== "#") throw this.#broken();
    }
    if ((await this.#peek()) !== "#") return { type, count: undefined };
    this.#cursor.byte();
    return { type, count: await this.#length() };
  }

  /** A length is a whole number of any type. */
  async #length(): Promise<number> {
    const type = await this.#marker();
    if (!"iUIulmL".includes(type)) throw this.#broken();
    await this.#cursor.require(sizes[type] ?? 0);
    const length = this.#scalar(type);
    if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 0) {
      throw damaged(this.#cursor.path, `A part of it claims a length of ${String(length)}.`);
    }
    return length;
  }

  #scalar(type: string): unknown {
    const bytes = this.#cursor.take(sizes[type] ?? 0);
    switch (type) {
      case "T":
        return true;
      case "F":
        return false;
      case "i":
        return bytes.readInt8(0);
      case "U":
        return bytes.readUInt8(0);
      case "C":
        return bytes.toString("latin1");
      case "I":
        return bytes.readInt16BE(0);
      case "u":
        return bytes.readUInt16BE(0);
      case "l":
        return bytes.readInt32BE(0);
      case "m":
        return bytes.readUInt32BE(0);
      case "L":
        return Number(bytes.readBigInt64BE(0));
      case "M":
        return Number(bytes.readBigUInt64BE(0));
      case "d":
        return bytes.readFloatBE(0);
      case "D":
        return bytes.readDoubleBE(0);
    }
    return null;
  }

  async #keep(length: number): Promise<Buffer> {
    this.#count(length);
    return await this.#cursor.bytes(length, longestText);
  }

  #count(length: number): void {
    this.#kept += length;
    if (this.#kept > mostKept) throw damaged(this.#cursor.path, "Its names are larger than any model's.");
  }

  async #marker(): Promise<string> {
    await this.#cursor.require(1);
    return String.fromCharCode(this.#cursor.byte());
  }

  async #peek(): Promise<string> {
    await this.#cursor.require(1);
    return String.fromCharCode(this.#cursor.peek() ?? 0);
  }

  #broken(): Error {
    return damaged(this.#cursor.path, `It is no UBJ at byte ${this.#cursor.position}.`);
  }
}
