import { damaged } from "./damaged.js";
import { opaque, type PickleValue } from "./pickle-values.js";

const mostStack = 1_000_000;
const mostMemo = 1_500_000;

/** Stack and memo of one pickle; a nested one has its own. Throws UserError `model_file` for what it does not hold. */
export class PickleMachine {
  readonly stack: PickleValue[] = [];
  readonly #path: string;
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  /** `path`: the file, for errors. */
  constructor(path: string) {
    this.#path = path;
  }

  get remembered(): number {
    return this.#memo.size;
  }

  checkSize(): void {
    if (this.stack.length > mostStack) throw this.#broken("It holds too many values at once");
  }

  mark(): void {
    this.#marks.push(this.stack.length);
    if (this.#marks.length > mostStack) throw this.#broken("It is nested too deeply");
  }

  /** Of a mark, too, when it is on top. */
  drop(): void {
    if (this.#marks.at(-1) === this.stack.length) this.#marks.pop();
    else this.pop();
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#missing();
    return this.stack.pop() as PickleValue;
  }

  /** The last `count` values, the deepest first. */
  pops(count: number): PickleValue[] {
    if (this.stack.length - count < (this.#marks.at(-1) ?? 0)) throw this.#missing();
    return this.stack.splice(this.stack.length - count, count);
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined) throw this.#missing();
    return value;
  }

  toMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#broken("It closes what was not opened");
    return this.stack.splice(mark);
  }

  recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value !== undefined) return value;
    if (this.#memo.size >= mostMemo) return opaque;
    throw this.#broken("It refers to a value that it never made");
  }

  /** Remembers what is on top. False where the memo is full. */
  remember(index: number): boolean {
    const value = this.top();
    const fits = this.#memo.size < mostMemo || this.#memo.has(index);
    if (fits) this.#memo.set(index, value);
    return fits;
  }

  #missing(): Error {
    return this.#broken("It takes a value that is not there");
  }

  #broken(why: string): Error {
    return damaged(this.#path, `${why}.`);
  }
}
