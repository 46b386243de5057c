import { throwIfAborted } from "../errors.js";
import { type ByteCursor, LimitReached } from "./cursor.js";
import { damaged } from "./damaged.js";
import { numpyType, shapeOf } from "./numpy-values.js";
import { longestKept, PickleKept } from "./pickle-kept.js";
import { longIn, numberIn, quotedIn, unicodeIn } from "./pickle-literals.js";
import { PickleMachine } from "./pickle-machine.js";
import {
  opaque,
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PicklePersistent,
  PickleTuple,
  type PickleValue,
  RawArray,
} from "./pickle-values.js";

/** What a walk over a pickle's opcodes found. */
export interface PickleContents {
  /** All that loading would import, once each, in their order. */
  globals: readonly PickleGlobal[];
  /** Whether something would be imported whose name cannot be known without running the pickle. */
  unknownGlobals: boolean;
  /** Whether loading would call anything. */
  calls: boolean;
  /** What it would make. Of an incomplete walk, the outermost thing that was begun. */
  root: PickleValue | undefined;
  /** False when time or size ended the walk before the pickle ended. */
  complete: boolean;
  opcodes: number;
}

export interface WalkOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the walk ends, incomplete. */
  time?: number;
}

const mostGlobals = 5000;
const mostNested = 4;
const longestLine = 1024 * 1024;
const usualTime = 5000;

/**
 * Goes through the opcodes of a pickle, from where the cursor stands to just after its STOP. Nothing is imported,
 * called or made: only names, texts and small values are kept. Understands arrays as joblib puts them between opcodes.
 * Throws UserError `model_file` for what is no pickle or is cut short.
 */
export async function walkPickle(cursor: ByteCursor, options: WalkOptions = {}): Promise<PickleContents> {
  const walk = new Walk(cursor, options.signal, performance.now() + (options.time ?? usualTime));
  const { root, complete } = await walk.run(0);
  return {
    globals: [...walk.globals.values()],
    unknownGlobals: walk.unknownGlobals,
    calls: walk.calls,
    root,
    complete,
    opcodes: walk.opcodes,
  };
}

class Walk {
  readonly globals = new Map<string, PickleGlobal>();
  unknownGlobals = false;
  calls = false;
  opcodes = 0;
  readonly #cursor: ByteCursor;
  readonly #signal: AbortSignal | undefined;
  readonly #end: number;
  readonly #kept = new PickleKept();

  constructor(cursor: ByteCursor, signal: AbortSignal | undefined, end: number) {
    this.#cursor = cursor;
    this.#signal = signal;
    this.#end = end;
  }

  async run(depth: number): Promise<{ root: PickleValue | undefined; complete: boolean }> {
    const machine = new PickleMachine(this.#cursor.path);
    try {
      return await this.#steps(machine, depth);
    } catch (error) {
      if (error instanceof LimitReached && depth === 0) return { root: partial(machine), complete: false };
      throw error;
    }
  }

  async #steps(
    machine: PickleMachine,
    depth: number,
  ): Promise<{ root: PickleValue | undefined; complete: boolean }> {
    const cursor = this.#cursor;
    for (;;) {
      this.opcodes += 1;
      if (this.opcodes % 16_384 === 0) {
        throwIfAborted(this.#signal);
        if (performance.now() > this.#end) throw new LimitReached();
        await new Promise(setImmediate); // lets a Ctrl-C through
      }
      // No opcode has more than 9 bytes before a part that states its length
      if (cursor.ready < 16) await cursor.ensure(16);
      const opcode = cursor.byte();
      if (opcode === 0x2e) {
        if (machine.stack.length !== 1) throw this.#broken("It ends with an unfinished value");
        return { root: machine.stack[0], complete: true };
      }
      const pending = this.#step(opcode, machine, depth);
      if (pending) await pending;
      machine.checkSize();
    }
  }

  #step(opcode: number, machine: PickleMachine, depth: number): Promise<void> | undefined {
    const cursor = this.#cursor;
    const { stack } = machine;
    switch (opcode) {
      case 0x28: // MARK
        machine.mark();
        return;
      case 0x30: // POP
        machine.drop();
        return;
      case 0x31: // POP_MARK
        machine.toMark();
        return;
      case 0x32: // DUP
        stack.push(machine.top());
        return;

      // Numbers and truth values
      case 0x46: // FLOAT
      case 0x49: // INT
      case 0x4c: // LONG
        return this.#textNumber(opcode, machine);
      case 0x4a: // BININT
        stack.push(cursor.take(4).readInt32LE(0));
        return;
      case 0x4b: // BININT1
        stack.push(cursor.byte());
        return;
      case 0x4d: // BININT2
        stack.push(cursor.take(2).readUInt16LE(0));
        return;
      case 0x47: // BINFLOAT
        stack.push(cursor.take(8).readDoubleBE(0));
        return;
      case 0x8a: // LONG1
        return this.#long(cursor.byte(), machine);
      case 0x8b: // LONG4
        return this.#long(cursor.take(4).readInt32LE(0), machine);
      case 0x4e: // NONE
        stack.push(null);
        return;
      case 0x88: // NEWTRUE
        stack.push(true);
        return;
      case 0x89: // NEWFALSE
        stack.push(false);
        return;

      // Texts and bytes
      case 0x53: // STRING
      case 0x56: // UNICODE
        return this.#textLine(opcode, machine);
      case 0x54: // BINSTRING
        return this.#text(cursor.take(4).readInt32LE(0), "latin1", machine);
      case 0x55: // SHORT_BINSTRING
        return this.#text(cursor.byte(), "latin1", machine);
      case 0x58: // BINUNICODE
        return this.#text(cursor.take(4).readUInt32LE(0), "utf8", machine);
      case 0x8c: // SHORT_BINUNICODE
        return this.#text(cursor.byte(), "utf8", machine);
      case 0x8d: // BINUNICODE8
        return this.#text(this.#length8(), "utf8", machine);
      case 0x42: // BINBYTES
        return this.#bytes(cursor.take(4).readUInt32LE(0), machine);
      case 0x43: // SHORT_BINBYTES
        return this.#bytes(cursor.byte(), machine);
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#bytes(this.#length8(), machine);
      case 0x97: // NEXT_BUFFER
        stack.push(opaque);
        return;
      case 0x98: // READONLY_BUFFER
        machine.top();
        return;

      // Tuples, lists, sets and dicts
      case 0x29: // EMPTY_TUPLE
        stack.push(this.#kept.one(new PickleTuple([])));
        return;
      case 0x74: // TUPLE
        stack.push(this.#kept.tuple(machine.toMark()));
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        stack.push(this.#kept.tuple(machine.pops(opcode - 0x84)));
        return;
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        stack.push(this.#kept.one(new PickleList()));
        return;
      case 0x6c: // LIST
      case 0x91: // FROZENSET
        stack.push(this.#kept.append(this.#kept.one(new PickleList()), machine.toMark()));
        return;
      case 0x61: {
        // APPEND
        const item = machine.pop();
        this.#kept.append(machine.top(), [item]);
        return;
      }
      case 0x65: // APPENDS
      case 0x90: {
        // ADDITEMS
        const items = machine.toMark();
        this.#kept.append(machine.top(), items);
        return;
      }
      case 0x7d: // EMPTY_DICT
        stack.push(this.#kept.one(new PickleDict()));
        return;
      case 0x64: // DICT
        stack.push(this.#setItems(this.#kept.one(new PickleDict()), machine.toMark()));
        return;
      case 0x73: {
        // SETITEM
        const pair = machine.pops(2);
        this.#setItems(machine.top(), pair);
        return;
      }
      case 0x75: {
        // SETITEMS
        const items = machine.toMark();
        this.#setItems(machine.top(), items);
        return;
      }

      // The memo
      case 0x67: // GET
        return this.#index((index) => stack.push(machine.recall(index)));
      case 0x68: // BINGET
        stack.push(machine.recall(cursor.byte()));
        return;
      case 0x6a: // LONG_BINGET
        stack.push(machine.recall(cursor.take(4).readUInt32LE(0)));
        return;
      case 0x70: // PUT
        return this.#index((index) => this.#remember(machine, index));
      case 0x71: // BINPUT
        this.#remember(machine, cursor.byte());
        return;
      case 0x72: // LONG_BINPUT
        this.#remember(machine, cursor.take(4).readUInt32LE(0));
        return;
      case 0x94: // MEMOIZE
        this.#remember(machine, machine.remembered);
        return;

      // Imports and calls: noted, never done
      case 0x63: // GLOBAL
        return this.#globalLines(machine);
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = machine.pops(2);
        stack.push(this.#global(module, name));
        return;
      }
      case 0x82: // EXT1
      case 0x83: // EXT2
      case 0x84: // EXT4: a number that copyreg maps to a name
        cursor.take(opcode === 0x82 ? 1 : opcode === 0x83 ? 2 : 4);
        this.unknownGlobals = true;
        stack.push(opaque);
        return;
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const [callee, args] = machine.pops(2);
        stack.push(this.#call(callee, args));
        return;
      }
      case 0x92: {
        // NEWOBJ_EX
        const [callee, args] = machine.pops(3);
        stack.push(this.#call(callee, args));
        return;
      }
      case 0x6f: {
        // OBJ
        const [callee, ...args] = machine.toMark();
        stack.push(this.#call(callee, this.#kept.tuple(args)));
        return;
      }
      case 0x69: // INST
        return this.#instance(machine);
      case 0x62: // BUILD
        return this.#build(machine, depth);
      case 0x50: // PERSID
        return this.#line().then((id) => {
          stack.push(this.#kept.one(new PicklePersistent(id)));
        });
      case 0x51: // BINPERSID
        stack.push(this.#kept.one(new PicklePersistent(machine.pop())));
        return;

      case 0x80: // PROTO
        if (cursor.byte() > 5) throw this.#broken("It is of a protocol that does not exist");
        return;
      case 0x95: // FRAME: only tells how much to read at once
        cursor.take(8);
        return;
      default:
        throw this.#broken(`Byte ${cursor.position - 1} is no instruction of a pickle`);
    }
  }

  #broken(why: string): Error {
    return damaged(this.#cursor.path, `${why}.`);
  }

  #global(module: PickleValue | undefined, name: PickleValue | undefined): PickleValue {
    if (typeof module !== "string" || typeof name !== "string") {
      this.unknownGlobals = true;
      return opaque;
    }
    const key = `${module}\n${name}`;
    const known = this.globals.get(key);
    if (known) return known;
    const global = new PickleGlobal(module, name);
    if (this.globals.size < mostGlobals) this.globals.set(key, global);
    else this.unknownGlobals = true;
    return global;
  }

  #call(callee: PickleValue | undefined, args: PickleValue | undefined): PickleValue {
    this.calls = true;
    return this.#kept.call(callee, args);
  }

  #remember(machine: PickleMachine, index: number): void {
    // What is forgotten could be a name of something that is imported
    if (!machine.remember(index) && typeof machine.top() === "string") this.unknownGlobals = true;
  }

  #setItems(target: PickleValue, items: readonly PickleValue[]): PickleValue {
    if (items.length % 2 !== 0) throw this.#broken("A key in it has no value");
    return this.#kept.setItems(target, items);
  }

  async #globalLines(machine: PickleMachine): Promise<void> {
    const module = await this.#line();
    const name = await this.#line();
    machine.stack.push(this.#global(module, name));
  }

  async #instance(machine: PickleMachine): Promise<void> {
    const module = await this.#line();
    const name = await this.#line();
    machine.stack.push(this.#call(this.#global(module, name), this.#kept.tuple(machine.toMark())));
  }

  #build(machine: PickleMachine, depth: number): Promise<void> | undefined {
    const state = machine.pop();
    const target = machine.top();
    if (!(target instanceof PickleObject)) return;
    target.state = state;
    if (target.path === "joblib.numpy_pickle.NumpyArrayWrapper")
      return this.#rawArray(target, machine, depth);
    return;
  }

  /** joblib writes an array's bytes right after the wrapper that describes it. */
  async #rawArray(wrapper: PickleObject, machine: PickleMachine, depth: number): Promise<void> {
    const cursor = this.#cursor;
    const dtype = wrapper.attribute("dtype") ?? opaque;
    const shape = shapeOf(wrapper.attribute("shape"));
    const type = numpyType(dtype);
    if (!shape || !type) throw this.#broken("An array in it has no known type or shape");
    let array: RawArray;
    if (type.kind === "O") {
      if (depth >= mostNested) throw this.#broken("Its arrays are nested too deeply");
      const nested = await this.run(depth + 1);
      array = new RawArray(dtype, shape, undefined, nested.root ?? opaque);
    } else {
      if (typeof wrapper.attribute("numpy_array_alignment_bytes") === "number") {
        await cursor.require(1);
        await cursor.skip(cursor.byte());
      }
      const length = shape.reduce((product, size) => product * size, type.itemSize);
      if (!Number.isSafeInteger(length)) throw this.#broken("An array in it is larger than any file");
      const data = this.#kept.takes(length) ? await cursor.bytes(length, longestKept) : undefined;
      if (!data) await cursor.skip(length);
      array = new RawArray(dtype, shape, data, undefined);
    }
    machine.stack.pop();
    machine.stack.push(array);
  }

  #length8(): number {
    const length = this.#cursor.take(8).readBigUInt64LE(0);
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#broken(`A part of it claims ${length} bytes`);
    return Number(length);
  }

  /** At once where the bytes are there already, as most texts are short and there are many. */
  #text(length: number, encoding: "utf8" | "latin1", machine: PickleMachine): Promise<void> | undefined {
    if (length < 0) throw this.#broken("A length in it is negative");
    if (!this.#kept.takes(length)) return this.#leaveOut(length, machine);
    const cursor = this.#cursor;
    if (cursor.ready >= length) {
      machine.stack.push(cursor.take(length).toString(encoding));
      return;
    }
    return cursor.bytes(length, longestKept).then((bytes) => {
      machine.stack.push(bytes.toString(encoding));
    });
  }

  #bytes(length: number, machine: PickleMachine): Promise<void> | undefined {
    if (!this.#kept.takes(length)) return this.#leaveOut(length, machine);
    return this.#cursor.bytes(length, longestKept).then((bytes) => {
      machine.stack.push(bytes);
    });
  }

  async #leaveOut(length: number, machine: PickleMachine): Promise<void> {
    await this.#cursor.skip(length);
    machine.stack.push(opaque);
  }

  async #long(length: number, machine: PickleMachine): Promise<void> {
    if (length < 0) throw this.#broken("A length in it is negative");
    if (length > 8) return await this.#leaveOut(length, machine);
    machine.stack.push(longIn(await this.#cursor.bytes(length, 8)));
  }

  async #line(encoding: "utf8" | "latin1" = "utf8"): Promise<string> {
    const bytes = await this.#cursor.line(longestLine);
    return this.#kept.takes(bytes.length) ? bytes.toString(encoding) : "";
  }

  async #index(use: (index: number) => void): Promise<void> {
    const text = await this.#line();
    if (!/^\d{1,10}$/.test(text)) throw this.#broken("An index in it is no number");
    use(Number(text));
  }

  async #textNumber(opcode: number, machine: PickleMachine): Promise<void> {
    const number = numberIn(await this.#line(), { isInt: opcode === 0x49 });
    if (number === undefined) throw this.#broken("A number in it is none");
    machine.stack.push(number);
  }

  async #textLine(opcode: number, machine: PickleMachine): Promise<void> {
    const line = await this.#line("latin1");
    const text = opcode === 0x56 ? unicodeIn(line) : quotedIn(line);
    if (text === undefined) throw this.#broken("A text in it has no quotes");
    machine.stack.push(text);
  }
}

/** The outermost object of an unfinished pickle, with the attributes that were complete. */
function partial(machine: PickleMachine): PickleValue | undefined {
  const [root, dict, ...rest] = machine.stack;
  if (root instanceof PickleObject && dict instanceof PickleDict) {
    for (let at = 0; at + 1 < rest.length && at < 200; at += 2) {
      dict.pairs.push([rest[at] as PickleValue, rest[at + 1] as PickleValue]);
    }
    root.state ??= dict;
  }
  return root;
}
