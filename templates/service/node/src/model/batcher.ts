/** Requests that wait for the model, by what may share a batch. It decides what goes next, and does nothing itself. */
import type { Inputs } from "../schema/schema.js";
import type { Reply } from "./orders.js";

/** Rows of one request, waiting: never more than a batch may have. Times are in seconds. */
export interface Entry {
  api: string;
  inputs: Inputs;
  rows: number;
  bucket: string;
  since: number;
  started?: number;
  /** Nobody waits for it any more: its time was up, or its client has left. */
  over: boolean;
  settle: (reply: Reply) => void;
}

/** Greedy: what waits goes as soon as a worker asks. Only `maxDelayS` makes a batch wait for company. */
export class Batcher {
  readonly #maxRows: number;
  readonly #maxDelayS: number;
  readonly #buckets = new Map<string, Entry[]>();

  constructor(maxRows: number, maxDelayS: number) {
    this.#maxRows = maxRows;
    this.#maxDelayS = maxDelayS;
  }

  get isEmpty(): boolean {
    return this.#buckets.size === 0;
  }

  add(entry: Entry): void {
    const key = `${entry.api} ${entry.bucket}`;
    const waiting = this.#buckets.get(key);
    if (waiting) waiting.push(entry);
    else this.#buckets.set(key, [entry]);
  }

  /** The next batch: of all that may go, the one with the oldest request. Empty when none may go yet. */
  take(now: number): Entry[] {
    let chosen: string | undefined;
    let oldest = Number.POSITIVE_INFINITY;
    for (const [key, all] of [...this.#buckets]) {
      const waiting = all[0]?.over ? all.filter(({ over }) => !over) : all;
      const since = waiting[0]?.since;
      if (since === undefined) this.#buckets.delete(key);
      else {
        this.#buckets.set(key, waiting);
        if (since < oldest && this.#mayGo(waiting, now)) [chosen, oldest] = [key, since];
      }
    }
    return chosen === undefined ? [] : this.#cut(chosen);
  }

  /** When the next batch may go even if nothing joins it. */
  get due(): number | undefined {
    const firsts = [...this.#buckets.values()].flatMap((waiting) => waiting[0]?.since ?? []);
    return firsts.length === 0 ? undefined : Math.min(...firsts) + this.#maxDelayS;
  }

  #cut(key: string): Entry[] {
    const waiting = this.#buckets.get(key) as Entry[];
    const batch: Entry[] = [];
    let rows = 0;
    let taken = 0;
    for (const entry of waiting) {
      if (!entry.over && rows + entry.rows > this.#maxRows) break;
      taken += 1;
      if (entry.over) continue;
      batch.push(entry);
      rows += entry.rows;
    }
    const left = waiting.slice(taken);
    if (left.length > 0) this.#buckets.set(key, left);
    else this.#buckets.delete(key);
    return batch;
  }

  #mayGo(waiting: readonly Entry[], now: number): boolean {
    const since = waiting[0]?.since ?? now;
    if (this.#maxDelayS === 0 || now >= since + this.#maxDelayS) return true;
    return waiting.reduce((rows, entry) => rows + entry.rows, 0) >= this.#maxRows;
  }
}
