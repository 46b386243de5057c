/** Who works on what: free workers take the next batch, or the next step of a stream that they hold. */
import { ApiError, type Header, notReady } from "../errors.js";
import type { Metrics } from "../metrics.js";
import type { Inputs, Outputs, Schema } from "../schema/schema.js";
import { Batcher, type Entry } from "./batcher.js";
import type { Failure, Order, Refusal, Reply, Step } from "./orders.js";
import type { Worker } from "./worker.js";

/** A request's share of a call of the model failed. */
export class ModelRaised extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.reason);
    this.failure = failure;
  }
}

/** The user's own checks refuse the input. */
export class InputRefused extends Error {
  readonly broken: Refusal["broken"];

  constructor({ broken }: Refusal) {
    super("refused");
    this.broken = broken;
  }
}

/** No answer within the time that a request may take. */
export class TimedOut extends Error {}

interface Turn {
  order: Exclude<Order, { op: "predict" }>;
  done: (step: Step) => void;
}

/** A worker, whether it is busy, and the turns of the streams that only it can go on with. */
interface Slot {
  worker: Worker;
  busy: boolean;
  gone: boolean;
  turns: Turn[];
  streams: number;
  hadTurn: boolean;
}

export interface PoolLimits {
  batchMaxRows: number;
  batchMaxDelayMs: number;
  queueMaxRows: number;
  maxStreams: number;
}

export interface Call {
  api: string;
  schema: Schema;
  inputs: Inputs;
  rows: number;
  /** Seconds. */
  patienceS: number;
  signal: AbortSignal;
}

const now = () => performance.now() / 1000;

export class Pool {
  readonly #limits: PoolLimits;
  readonly #metrics: Metrics;
  readonly #batcher: Batcher;
  #slots: Slot[] = [];
  #rows = 0;
  #secondsPerRow = 0;
  #streams = 0;
  #streamCount = 0;
  #feeding = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: PoolLimits, metrics: Metrics) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#batcher = new Batcher(limits.batchMaxRows, limits.batchMaxDelayMs / 1000);
  }

  /** Waiting, or in work. */
  get rows(): number {
    return this.#rows;
  }

  get hasWorkers(): boolean {
    return this.#slots.length > 0;
  }

  /** Returns what takes it away again, when it has died. */
  add(worker: Worker): () => void {
    const slot: Slot = { worker, busy: false, gone: false, turns: [], streams: 0, hadTurn: false };
    this.#slots.push(slot);
    this.#feedSoon();
    return () => {
      slot.gone = true;
      this.#slots = this.#slots.filter((one) => one !== slot);
      for (const { done } of slot.turns.splice(0)) done(gone);
    };
  }

  /** No worker comes any more: who waits for the first free one is told. */
  abandon(): void {
    for (
      let batch = this.#batcher.take(Number.MAX_VALUE);
      batch.length > 0;
      batch = this.#batcher.take(Number.MAX_VALUE)
    )
      for (const entry of batch) entry.settle(gone);
  }

  /** The outputs, and how long the rows waited. Rejects with ModelRaised, InputRefused, TimedOut, ApiError or the signal's reason. */
  async predict(call: Call): Promise<{ outputs: Outputs; waitedS: number }> {
    const { schema, inputs, rows, signal, patienceS } = call;
    this.#checkRoom(rows, patienceS);
    const most = this.#limits.batchMaxRows;
    const since = now();
    const bucket = schema.bucket(inputs);
    const starts = Array.from({ length: Math.ceil(rows / most) }, (_, index) => index * most);
    const entries: Entry[] = [];
    let end = () => {};
    try {
      const replies = await new Promise<Reply[]>((resolve, reject) => {
        const timer = setTimeout(() => reject(new TimedOut()), patienceS * 1000);
        const leave = () => reject(signal.reason);
        const found: Reply[] = [];
        let left = starts.length;
        end = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", leave);
        };
        starts.forEach((start, index) => {
          const stop = Math.min(rows, start + most);
          const part = starts.length === 1 ? inputs : schema.slice(inputs, start, stop);
          const settle = (reply: Reply) => {
            found[index] = reply;
            left -= 1;
            if (left > 0 && reply.kind === "outputs") return;
            resolve(reply.kind === "outputs" ? found : [later(reply, start)]);
          };
          entries.push({
            api: call.api,
            inputs: part,
            rows: stop - start,
            bucket,
            since,
            over: false,
            settle,
          });
        });
        signal.addEventListener("abort", leave);
        if (signal.aborted) leave();
        for (const entry of entries) {
          this.#rows += entry.rows;
          this.#batcher.add(entry);
        }
        this.#feedSoon();
      });
      const outputs = replies.map(outputsOf);
      const waitedS = (entries[0]?.started ?? since) - since;
      return { outputs: outputs.length === 1 ? (outputs[0] as Outputs) : schema.merge(outputs), waitedS };
    } finally {
      end();
      for (const entry of entries) this.#letGo(entry);
    }
  }

  /** Pieces as the model makes them, no faster than they are taken. Closing the generator ends the work. */
  async *stream(api: string, row: unknown, signal: AbortSignal): AsyncGenerator<string> {
    if (this.#streams >= this.#limits.maxStreams)
      throw busy("too many streams are open: try again later", this.#limits.maxStreams, 0, 1);
    const slot = [...this.#slots].sort((a, b) => a.streams - b.streams)[0];
    if (!slot) throw noWorker();
    this.#streamCount += 1;
    const stream = this.#streamCount;
    slot.streams += 1;
    this.#streams += 1;
    let ended = false;
    try {
      checkedStep(await this.#turn(slot, { op: "open", api, stream, row }, signal));
      for (;;) {
        const step = await this.#turn(slot, { op: "step", stream }, signal);
        if (step.kind !== "piece") {
          ended = true;
          checkedStep(step);
          return;
        }
        yield step.text;
      }
    } finally {
      slot.streams -= 1;
      this.#streams -= 1;
      if (!ended && !slot.gone) {
        slot.turns.push({ order: { op: "close", stream }, done: () => {} });
        this.#feedSoon();
      }
    }
  }

  #turn(slot: Slot, order: Turn["order"], signal: AbortSignal): Promise<Step> {
    if (slot.gone) return Promise.resolve(gone);
    return new Promise((resolve, reject) => {
      const leave = () => {
        slot.turns = slot.turns.filter((one) => one !== turn);
        reject(signal.reason);
      };
      const turn: Turn = {
        order,
        done: (step) => {
          signal.removeEventListener("abort", leave);
          resolve(step);
        },
      };
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave);
      slot.turns.push(turn);
      this.#feedSoon();
    });
  }

  /** Nobody waits for it any more. What a worker has begun takes its time, whether or not somebody still waits. */
  #letGo(entry: Entry): void {
    if (entry.over) return;
    entry.over = true;
    if (entry.started === undefined) this.#rows -= entry.rows;
  }

  /** A little later, so that requests that were read together go together. */
  #feedSoon(): void {
    if (this.#feeding) return;
    this.#feeding = true;
    setImmediate(() => {
      this.#feeding = false;
      this.#feed();
    });
  }

  #feed(): void {
    for (const slot of this.#slots) if (!slot.busy) this.#give(slot);
    const { due } = this.#batcher;
    if (due === undefined || this.#timer !== undefined || this.#slots.every((slot) => slot.busy)) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#feed();
      },
      Math.max(0, due - now()) * 1000,
    );
  }

  /** By turns a stream's step and a batch, where there are both. */
  #give(slot: Slot): void {
    const turnFirst = slot.turns.length > 0 && (!slot.hadTurn || this.#batcher.isEmpty);
    const batch = turnFirst ? [] : this.#batcher.take(now());
    slot.hadTurn = turnFirst;
    if (batch.length > 0) void this.#startBatch(slot, batch);
    else if (slot.turns.length > 0) void this.#startTurn(slot);
  }

  async #startTurn(slot: Slot): Promise<void> {
    const { order, done } = slot.turns.shift() as Turn;
    slot.busy = true;
    const step = await slot.worker.step(order);
    slot.busy = false;
    done(step);
    this.#feedSoon();
  }

  async #startBatch(slot: Slot, batch: readonly Entry[]): Promise<void> {
    const started = now();
    for (const entry of batch) entry.started = started;
    slot.busy = true;
    const [{ api, since }] = batch as [Entry];
    const replies = await slot.worker.predict({
      op: "predict",
      api,
      parts: batch.map(({ inputs }) => inputs),
    });
    slot.busy = false;
    const seconds = now() - started;
    const rows = batch.reduce((sum, entry) => sum + entry.rows, 0);
    this.#rows -= rows;
    this.#secondsPerRow += 0.2 * (seconds / rows - this.#secondsPerRow);
    this.#metrics.batch(rows, seconds, started - since);
    batch.forEach((entry, index) => {
      if (!entry.over) entry.settle(replies[index] ?? gone);
    });
    this.#feed();
  }

  /** A request alone may be of any size; behind others it has to fit, and to have a chance in its time. */
  #checkRoom(rows: number, patienceS: number): void {
    if (this.#rows === 0) return;
    const waitS = (this.#rows * this.#secondsPerRow) / Math.max(1, this.#slots.length);
    const { queueMaxRows } = this.#limits;
    const free = Math.max(0, queueMaxRows - this.#rows);
    if (rows > free)
      throw busy("too many rows are waiting: try again later", queueMaxRows, free, Math.ceil(waitS));
    if (waitS > patienceS) {
      const message = "what is waiting already would take longer than a request may take";
      throw busy(message, queueMaxRows, free, Math.ceil(waitS));
    }
  }
}

const gone: Failure = { kind: "failed", reason: "the worker died while it worked on this request" };

function outputsOf(reply: Reply): Outputs {
  if (reply.kind === "outputs") return reply.outputs;
  throw problemOf(reply);
}

function checkedStep(step: Step): void {
  if (step.kind === "failed" || step.kind === "refused") throw problemOf(step);
}

function problemOf(reply: Exclude<Reply, { kind: "outputs" }>): Error {
  return reply.kind === "failed" ? new ModelRaised(reply) : new InputRefused(reply);
}

/** A refusal counts its rows from the first of its part. */
function later(reply: Reply, start: number): Reply {
  if (reply.kind !== "refused") return reply;
  return { ...reply, broken: reply.broken.map((one) => ({ ...one, row: one.row + start })) };
}

/** The headers say of the queue what they say of a key elsewhere: its size, its room, and when it will be empty. */
function busy(message: string, limit: number, free: number, waitS: number): ApiError {
  const headers: Header[] = [
    ["retry-after", `${Math.min(60, Math.max(1, waitS))}`],
    ["x-ratelimit-limit-requests", `${limit}`],
    ["x-ratelimit-remaining-requests", `${free}`],
    ["x-ratelimit-reset-requests", `${Math.max(1, waitS)}`],
  ];
  return new ApiError(429, "overloaded", message, { headers });
}

export function noWorker(): ApiError {
  return notReady("no worker is ready");
}
