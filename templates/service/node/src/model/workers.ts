/** N workers: replaced when they die, and given up when they die too often. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.js";
import type { Metrics } from "../metrics.js";
import type { Description } from "../schema/schema.js";
import { ModelFailed } from "./failure.js";
import type { ThreadData } from "./orders.js";
import type { Pool } from "./pool.js";
import { Worker } from "./worker.js";

const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** Deaths are counted over this time, and after so long a life a pause is the first again. */
const periodMs = 60_000;

export interface WorkersOptions {
  data: ThreadData;
  count: number;
  maxDeaths: number;
  pool: Pool;
  log: Log;
  metrics: Metrics;
  /** Asks a loaded worker for the example; throws ModelFailed. */
  warmUp: (worker: Worker, described: Map<string, Description>) => Promise<void>;
  /** Whether all are there. */
  changed: (complete: boolean) => void;
  /** They died too often. */
  failed: () => void;
}

export class Workers {
  readonly #options: WorkersOptions;
  readonly #living = new Set<Worker>();
  #ready = 0;
  #deaths: number[] = [];
  #over = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** Resolves when all are ready. Rejects with ModelFailed. */
  async start(): Promise<Map<string, Description>> {
    const { count } = this.#options;
    try {
      const all = await Promise.all(Array.from({ length: count }, () => this.#begin()));
      for (const { worker } of all) void this.#keep(worker);
      return (all[0] as { described: Map<string, Description> }).described;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all([...this.#living].map((worker) => worker.stop()));
  }

  async #begin(): Promise<{ worker: Worker; described: Map<string, Description> }> {
    const worker = new Worker(this.#options.data);
    this.#living.add(worker);
    void worker.ended.then(() => this.#living.delete(worker));
    try {
      const described = await worker.loaded;
      await this.#options.warmUp(worker, described);
      return { worker, described };
    } catch (error) {
      await worker.stop();
      throw error;
    }
  }

  /** One worker of the N: there, or coming back. */
  async #keep(first: Worker): Promise<void> {
    const { pool, log, metrics } = this.#options;
    let pause = firstPauseMs;
    let worker: Worker | undefined = first;
    while (!this.#over) {
      const began = performance.now();
      if (worker) {
        const takeAway = pool.add(worker);
        this.#count(1);
        const exitCode = await worker.ended;
        takeAway();
        if (this.#over) return;
        this.#count(-1);
        metrics.workerDeaths += 1;
        log.write("error", "worker_died", { exit_code: exitCode });
      }
      if (this.#diedTooOften()) return;
      if (performance.now() - began > periodMs) pause = firstPauseMs;
      await sleep(pause);
      pause = Math.min(2 * pause, longestPauseMs);
      worker = await this.#again();
    }
  }

  async #again(): Promise<Worker | undefined> {
    const { log } = this.#options;
    try {
      const { worker } = await this.#begin();
      log.write("info", "worker_started");
      return worker;
    } catch (error) {
      const { stage, message } = ModelFailed.from("load", error, this.#options.data.project);
      log.write("error", "worker_failed", { stage, reason: message });
      return undefined;
    }
  }

  #count(change: number): void {
    this.#ready += change;
    this.#options.changed(this.#ready === this.#options.count);
  }

  #diedTooOften(): boolean {
    const now = performance.now();
    this.#deaths = [...this.#deaths, now].filter((then) => now - then <= periodMs);
    if (this.#deaths.length < this.#options.maxDeaths) return false;
    this.#options.log.write("error", "workers_failed", {
      deaths: this.#deaths.length,
      within_s: periodMs / 1000,
    });
    this.#over = true;
    this.#options.failed();
    return true;
  }
}
