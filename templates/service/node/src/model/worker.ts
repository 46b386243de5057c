/** The service's end of a model's thread. */
import { Worker as Thread } from "node:worker_threads";
import type { Description } from "../schema/schema.js";
import { ModelFailed } from "./failure.js";
import type { Failure, Order, Reply, Step, ThreadData, Word } from "./orders.js";

const died: Failure = { kind: "failed", reason: "the worker died while it worked on this request" };

/** It is asked one thing at a time; when it dies, what it was asked fails. */
export class Worker {
  /** Resolves when the thread is loaded. Rejects with ModelFailed, or as a death when the thread ended. */
  readonly loaded: Promise<Map<string, Description>>;
  /** Resolves with its exit code when it has ended. */
  readonly ended: Promise<number>;
  readonly #thread: Thread;
  #answer: ((word: Word | undefined) => void) | undefined;
  #dead = false;

  constructor(data: ThreadData) {
    this.#thread = new Thread(new URL("./thread.js", import.meta.url), { workerData: data, stdout: true });
    // What user code prints goes to stderr: stdout is the log alone.
    this.#thread.stdout.pipe(process.stderr, { end: false });
    this.#thread.on("message", (word: Word) => this.#settle(word));
    this.#thread.on("error", (error) =>
      process.stderr.write(`${(error as Error)?.stack ?? String(error)}\n`),
    );
    this.ended = new Promise((resolve) => {
      this.#thread.once("exit", (code) => {
        this.#dead = true;
        this.#settle(undefined);
        resolve(code);
      });
    });
    this.loaded = this.#next().then((word) => {
      if (word?.word === "loaded") return word.described;
      if (word?.word === "unusable") throw new ModelFailed(word.stage, word.reason, word.shown);
      throw new ModelFailed("load", "the model's thread ended while it loaded");
    });
  }

  async predict(order: Extract<Order, { op: "predict" }>): Promise<Reply[]> {
    const word = await this.#ask(order);
    return word?.word === "replies" ? word.replies : order.parts.map(() => died);
  }

  async step(order: Exclude<Order, { op: "predict" }>): Promise<Step> {
    const word = await this.#ask(order);
    return word?.word === "step" ? word.step : died;
  }

  /** Whatever it is doing. */
  async stop(): Promise<void> {
    await this.#thread.terminate();
  }

  #ask(order: Order): Promise<Word | undefined> {
    if (this.#dead) return Promise.resolve(undefined);
    this.#thread.postMessage(order);
    return this.#next();
  }

  #next(): Promise<Word | undefined> {
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  #settle(word: Word | undefined): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(word);
  }
}
