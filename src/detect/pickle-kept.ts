import {
  opaque,
  PickleDict,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from "./pickle-values.js";

/** More than the pickles of real models have, and little enough to hold. */
const mostKept = 400_000;
const mostKeptBytes = 48 * 1024 * 1024;
export const longestKept = 65_536;
const mostItems = 20_000;

/** Makes the values of a pickle as long as there is room for them, and counts what is left out. */
export class PickleKept {
  #count = 0;
  #bytes = 0;

  /** Whether so many bytes of a text may be kept. They are counted. */
  takes(length: number): boolean {
    if (length > longestKept || this.#bytes + length > mostKeptBytes) return false;
    this.#bytes += length;
    return true;
  }

  one<T extends PickleValue>(value: T): T {
    this.#count += 1;
    return value;
  }

  tuple(items: PickleValue[]): PickleValue {
    this.#count += 1 + items.length;
    return this.#isFull || items.length > mostItems ? opaque : new PickleTuple(items);
  }

  call(callee: PickleValue | undefined, args: PickleValue | undefined): PickleValue {
    this.#count += 4;
    return this.#isFull ? opaque : new PickleObject(callee ?? opaque, args ?? opaque);
  }

  append(target: PickleValue, items: readonly PickleValue[]): PickleValue {
    let list: PickleList | undefined;
    if (target instanceof PickleList) list = target;
    else if (target instanceof PickleObject) {
      target.list ??= new PickleList();
      list = target.list;
    }
    if (!list) return target;
    const room = this.#isFull ? 0 : Math.max(0, mostItems - list.items.length);
    for (const item of items.slice(0, room)) list.items.push(item);
    this.#count += Math.min(room, items.length);
    list.dropped += Math.max(0, items.length - room);
    return target;
  }

  /** `items`: keys and values in turn. */
  setItems(target: PickleValue, items: readonly PickleValue[]): PickleValue {
    let dict: PickleDict | undefined;
    if (target instanceof PickleDict) dict = target;
    else if (target instanceof PickleObject) {
      target.dict ??= new PickleDict();
      dict = target.dict;
    }
    if (!dict) return target;
    for (let at = 0; at < items.length; at += 2) {
      if (this.#isFull || dict.pairs.length >= mostItems) {
        dict.dropped += 1;
      } else {
        dict.pairs.push([items[at] as PickleValue, items[at + 1] as PickleValue]);
        this.#count += 3;
      }
    }
    return target;
  }

  get #isFull(): boolean {
    return this.#count > mostKept;
  }
}
