import { throwIfAborted } from "../errors.js";
import { type ByteCursor, LimitReached } from "./cursor.js";
import { damaged } from "./damaged.js";
import { type Choose, Picked } from "./picked.js";

const longestText = 65_536;
const mostItems = 20_000;
const mostKept = 8 * 1024 * 1024;
const deepest = 32;
const deepestPassed = 1000;
/** A marker and a length, or a number. */
const longestHead = 16;

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

/** A list or an object that is passed over. */
interface Frame {
  isObject: boolean;
  type: string | undefined;
  left: number;
  /** Ends with a bracket, as it states no count. */
  isOpen: boolean;
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
    this.#look();
    if (depth > deepest) throw this.#broken();
    if (type === "{") return await this.#object(path, keep, depth);
    if (type === "[") return await this.#list(keep, depth);
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
      const typeOfValue = type ?? (await this.#marker());
      if (choice === "skip") {
        await this.#pass(typeOfValue);
        continue;
      }
      const value = await this.#value(typeOfValue, inner, choice === "keep", depth + 1);
      if (choice === "keep") {
        if (keep) kept[key] = value;
        else this.picked.values.set(inner, value);
        this.#count(length + 16);
      }
    }
    return keep ? kept : undefined;
  }

  async #list(keep: boolean, depth: number): Promise<unknown[] | undefined> {
    if (!keep) {
      await this.#passAll(await this.#frame("["));
      return undefined;
    }
    const { type, count } = await this.#container();
    if (count !== undefined && count > mostItems) {
      throw damaged(this.#cursor.path, `A list in it claims ${count} values.`);
    }
    const kept: unknown[] = [];
    for (let index = 0; count === undefined || index < count; index += 1) {
      if (count === undefined && (await this.#peek()) === "]") {
        this.#cursor.byte();
        break;
      }
      kept.push(await this.#value(type ?? (await this.#marker()), "", keep, depth + 1));
      this.#count(16);
    }
    return kept;
  }

  async #pass(type: string): Promise<void> {
    if (type === "{" || type === "[") await this.#passAll(await this.#frame(type));
    else await this.#passPlain(type);
  }

  /** A value of a type without brackets. */
  async #passPlain(type: string): Promise<void> {
    const isText = type === "S" || type === "H";
    const size = isText ? await this.#length() : sizes[type];
    if (size === undefined) throw this.#broken();
    if (!this.#cursor.pass(size)) await this.#cursor.skip(size);
  }

  async #frame(type: "{" | "["): Promise<Frame> {
    const { type: inner, count } = await this.#container();
    return {
      isObject: type === "{",
      type: inner,
      left: count ?? Number.POSITIVE_INFINITY,
      isOpen: count === undefined,
    };
  }

  /** All that is within brackets, to after the last of them. It waits only where bytes have to be read. */
  async #passAll(first: Frame): Promise<void> {
    const cursor = this.#cursor;
    const frames = [first];
    for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
      this.#look();
      if (cursor.ready < longestHead) await cursor.ensure(longestHead);
      if (frame.isOpen ? cursor.peek() === (frame.isObject ? 0x7d : 0x5d) : frame.left === 0) {
        if (frame.isOpen) cursor.byte();
        frames.pop();
        continue;
      }
      const size = frame.type === undefined ? undefined : sizes[frame.type];
      if (size !== undefined && !frame.isOpen && !frame.isObject) {
        const length = size * frame.left;
        if (!Number.isSafeInteger(length)) throw this.#broken();
        if (!cursor.pass(length)) await cursor.skip(length);
        frames.pop();
        continue;
      }
      frame.left -= 1;
      if (frame.isObject) {
        const length = this.#readyLength(cursor.byte());
        if (!cursor.pass(length)) await cursor.skip(length);
        if (cursor.ready < longestHead) await cursor.ensure(longestHead);
      }
      const type = frame.type ?? String.fromCharCode(cursor.byte());
      if (type === "{" || type === "[") {
        if (frames.length >= deepestPassed) throw this.#broken();
        frames.push(await this.#frame(type));
      } else if (type === "S" || type === "H") {
        const length = this.#readyLength(cursor.byte());
        if (!cursor.pass(length)) await cursor.skip(length);
      } else {
        const plain = sizes[type];
        if (plain === undefined) throw this.#broken();
        if (!cursor.pass(plain)) await cursor.skip(plain);
      }
    }
  }

  #look(): void {
    this.#values += 1;
    if (this.#values % 4096 !== 0) return;
    throwIfAborted(this.#signal);
    if (performance.now() > this.#end) throw new LimitReached();
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
    await this.#cursor.ensure(longestHead);
    return this.#readyLength(this.#cursor.byte());
  }

  #readyLength(marker: number): number {
    const type = String.fromCharCode(marker);
    if (!"iUIulmL".includes(type)) throw this.#broken();
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
