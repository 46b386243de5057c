import { throwIfAborted } from "../errors.js";
import { type ByteCursor, LimitReached } from "./cursor.js";
import { damaged } from "./damaged.js";
import { type Choose, Picked } from "./picked.js";

const longestKey = 65_536;
const longestKept = 2 * 1024 * 1024;
/** Everything that is kept: texts become several times as large once they are parsed. */
const mostKept = 8 * 1024 * 1024;
const deepestEntered = 16;

const quote = 0x22;
const backslash = 0x5c;
const open = { object: 0x7b, list: 0x5b };
const close = { object: 0x7d, list: 0x5d };

/**
 * Picks values from a JSON document of any size: what is passed over is searched for its end and never parsed.
 * Throws UserError `model_file` for what is no JSON; a fault within what is passed over may go unseen.
 */
export async function pickFromJson(
  cursor: ByteCursor,
  choose: Choose,
  options: { signal?: AbortSignal | undefined; time: number },
): Promise<Picked> {
  const walk = new JsonWalk(cursor, choose, options.signal, performance.now() + options.time);
  try {
    await walk.document();
  } catch (error) {
    if (!(error instanceof LimitReached)) throw error;
    walk.picked.complete = false;
  }
  return walk.picked;
}

class JsonWalk {
  readonly picked = new Picked();
  readonly #cursor: ByteCursor;
  readonly #choose: Choose;
  readonly #signal: AbortSignal | undefined;
  readonly #end: number;
  #kept = 0;
  #looks = 0;
  #index = 0;

  constructor(cursor: ByteCursor, choose: Choose, signal: AbortSignal | undefined, end: number) {
    this.#cursor = cursor;
    this.#choose = choose;
    this.#signal = signal;
    this.#end = end;
  }

  async document(): Promise<void> {
    if ((await this.#next()) !== open.object) throw this.#broken();
    await this.#object("", 0);
    if ((await this.#next()) !== undefined) throw this.#broken();
  }

  /** From the opening brace to after the closing one. */
  async #object(path: string, depth: number): Promise<void> {
    if (depth > deepestEntered) throw this.#broken();
    const cursor = this.#cursor;
    cursor.byte();
    if ((await this.#next()) === close.object) {
      cursor.byte();
      return;
    }
    for (;;) {
      if ((await this.#next()) !== quote) throw this.#broken();
      const key = parse(await this.#raw(longestKey));
      if (typeof key !== "string") throw this.#broken();
      if ((await this.#next()) !== 0x3a) throw this.#broken();
      cursor.byte();
      await this.#value(path === "" ? key : `${path}/${key}`, depth);
      const after = await this.#next();
      if (after !== 0x2c && after !== close.object) throw this.#broken();
      cursor.byte();
      if (after === close.object) return;
    }
  }

  async #value(path: string, depth: number): Promise<void> {
    const first = await this.#next();
    const choice = this.#choose(path);
    if (choice === "enter" && first === open.object) return await this.#object(path, depth + 1);
    if (choice === "enter" && first === open.list) return await this.#list(`${path}/*`, depth + 1);
    if (choice !== "keep") return await this.#pass();
    const raw = await this.#raw(longestKept);
    this.#kept += raw.length;
    if (this.#kept > mostKept) throw damaged(this.#cursor.path, "Its names are larger than any model's.");
    const value = parse(raw);
    if (value === undefined) throw this.#broken();
    this.picked.keep(path, value, this.#index);
  }

  /** Values below a list are kept by the place that they have in it. */
  async #list(path: string, depth: number): Promise<void> {
    if (depth > deepestEntered) throw this.#broken();
    const cursor = this.#cursor;
    cursor.byte();
    if ((await this.#next()) === close.list) {
      cursor.byte();
      return;
    }
    for (let index = 0; ; index += 1) {
      this.#index = index;
      await this.#value(path, depth);
      const after = await this.#next();
      if (after !== 0x2c && after !== close.list) throw this.#broken();
      cursor.byte();
      if (after === close.list) return;
    }
  }

  /** The text of one value. */
  async #raw(limit: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    await this.#pass((bytes) => {
      length += bytes.length;
      if (length > limit) throw damaged(this.#cursor.path, `A value in it has over ${limit} bytes.`);
      parts.push(Buffer.from(bytes));
    });
    return Buffer.concat(parts, length);
  }

  /** Goes to the end of one value: of a text, or of all brackets that it opens, or of a word. */
  async #pass(use?: (bytes: Buffer) => void): Promise<void> {
    const cursor = this.#cursor;
    const state: Passing = { depth: 0, inText: false, escaped: false, isWord: false, done: false };
    while (!state.done) {
      await this.#look();
      if (!(await cursor.ensure(1))) throw cursor.cutShort();
      const length = passOver(cursor.view(), state);
      if (length < 0) throw this.#broken();
      const bytes = cursor.take(length);
      use?.(bytes);
    }
  }

  async #look(): Promise<void> {
    this.#looks += 1;
    if (this.#looks % 64 !== 0) return;
    throwIfAborted(this.#signal);
    if (performance.now() > this.#end) throw new LimitReached();
  }

  /** The byte after white space, not taken yet. */
  async #next(): Promise<number | undefined> {
    const cursor = this.#cursor;
    for (;;) {
      if (cursor.ready === 0) {
        await this.#look();
        if (!(await cursor.ensure(1))) return undefined;
      }
      const byte = cursor.peek();
      if (byte === undefined || !isSpace(byte)) return byte;
      cursor.byte();
    }
  }

  #broken(): Error {
    return damaged(this.#cursor.path, `It is no JSON at byte ${this.#cursor.position}.`);
  }
}

interface Passing {
  depth: number;
  inText: boolean;
  escaped: boolean;
  isWord: boolean;
  done: boolean;
}

/** 1 for the bytes that matter within brackets and outside of texts. */
const matters = new Uint8Array(256);
for (const byte of [quote, open.object, open.list, close.object, close.list]) matters[byte] = 1;

/** How many of the bytes belong to the value; -1 for no JSON. This loop sees every byte of a large file. */
function passOver(bytes: Buffer, state: Passing): number {
  let at = 0;
  while (at < bytes.length) {
    if (state.inText) {
      at = passText(bytes, at, state);
      if (state.done) return at;
      continue;
    }
    if (state.depth > 0) {
      while (at < bytes.length && matters[bytes[at] as number] === 0) at += 1;
      if (at === bytes.length) return at;
    }
    const byte = bytes[at] as number;
    if (byte === quote) {
      if (state.isWord) return -1;
      state.inText = true;
    } else if (byte === open.object || byte === open.list) {
      if (state.isWord) return -1;
      state.depth += 1;
    } else if (byte === close.object || byte === close.list) {
      // A word at the end of an object ends before the bracket
      if (state.depth === 0) return endOfWord(at, state);
      state.depth -= 1;
      state.done = state.depth === 0;
      if (state.done) return at + 1;
    } else if (byte === 0x2c || isSpace(byte)) {
      return endOfWord(at, state);
    } else {
      state.isWord = true;
    }
    at += 1;
  }
  return at;
}

function endOfWord(at: number, state: Passing): number {
  state.done = state.isWord;
  return state.isWord ? at : -1;
}

/** To after the closing quote, or to the end of the bytes. */
function passText(bytes: Buffer, start: number, state: Passing): number {
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    at += 1;
    if (state.escaped) state.escaped = false;
    else if (byte === backslash) state.escaped = true;
    else if (byte === quote) {
      state.inText = false;
      state.done = state.depth === 0;
      return at;
    }
  }
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function parse(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString("utf8"));
  } catch {
    return undefined;
  }
}
