/**
 * What a pickle would make, as far as it is kept: nothing is ever made. Numbers, texts, booleans and None are
 * JavaScript's; `opaque` stands for what was left out, as it was too large or of no use.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleGlobal
  | PickleObject
  | PicklePersistent
  | RawArray
  | typeof opaque;

export const opaque: unique symbol = Symbol("left out");

export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A list or a set. `dropped` items are not kept. */
export class PickleList {
  readonly items: PickleValue[] = [];
  dropped = 0;
}

export class PickleDict {
  readonly pairs: [PickleValue, PickleValue][] = [];
  dropped = 0;

  get(key: string): PickleValue | undefined {
    return this.pairs.findLast(([name]) => name === key)?.[1];
  }
}

/** A class or function, by the name that it would be imported by. */
export class PickleGlobal {
  readonly module: string;
  readonly name: string;
  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** What calling `callee` would give: an instance of a class, or any result of a function. */
export class PickleObject {
  readonly callee: PickleValue;
  readonly args: PickleValue;
  /** What `__setstate__` would get. */
  state: PickleValue | undefined;
  /** Of a subclass of list or set. */
  list: PickleList | undefined;
  /** Of a subclass of dict, such as OrderedDict. */
  dict: PickleDict | undefined;

  constructor(callee: PickleValue, args: PickleValue) {
    this.callee = callee;
    this.args = args;
  }

  /** Name of the class or function, where it is a plain one. */
  get path(): string | undefined {
    return this.callee instanceof PickleGlobal ? this.callee.path : undefined;
  }

  attribute(name: string): PickleValue | undefined {
    if (this.state instanceof PickleDict) return this.state.get(name);
    // (state, slots), as classes with __slots__ have it
    const first = this.state instanceof PickleTuple ? this.state.items[0] : undefined;
    return first instanceof PickleDict ? first.get(name) : undefined;
  }
}

/** A reference to something outside of the pickle, such as PyTorch's storages. */
export class PicklePersistent {
  readonly id: PickleValue;
  constructor(id: PickleValue) {
    this.id = id;
  }
}

/** An array whose bytes stand in the file after the opcode that would make it, as joblib writes them. */
export class RawArray {
  readonly dtype: PickleValue;
  readonly shape: readonly number[];
  /** Undefined where the array is large. */
  readonly data: Buffer | undefined;
  /** Of an array of objects: what is in it. */
  readonly content: PickleValue | undefined;

  constructor(
    dtype: PickleValue,
    shape: readonly number[],
    data: Buffer | undefined,
    content: PickleValue | undefined,
  ) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
    this.content = content;
  }
}

/** Items of a list, a tuple or a set. */
export function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  if (value instanceof PickleTuple || value instanceof PickleList) return value.items;
  return undefined;
}
