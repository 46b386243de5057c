/** The service's state: what it serves, and whether it is loading, ready, draining or failed. */
import { openapi } from "./api/openapi.js";
import { cores } from "./cores.js";
import { ApiError, invalid, notReady } from "./errors.js";
import { Guard } from "./guard/guard.js";
import type { KeySource } from "./guard/key-file.js";
import { Limits } from "./guard/limits.js";
import type { Request } from "./http/request.js";
import { Jobs } from "./jobs.js";
import type { Log } from "./log.js";
import { Metrics } from "./metrics.js";
import { type Example, exampleFile, readExample } from "./model/example.js";
import { ModelFailed } from "./model/failure.js";
import { digests, type FileDigest } from "./model/files.js";
import { InputRefused, ModelRaised, noWorker, Pool, TimedOut } from "./model/pool.js";
import type { Worker } from "./model/worker.js";
import { Workers } from "./model/workers.js";
import { schemaOf } from "./schema/of.js";
import { type Decoded, type Description, OutputError, type Outputs, type Schema } from "./schema/schema.js";
import type { Settings } from "./settings.js";

/** One API version of the service. */
export interface Served {
  api: string;
  schema: Schema;
  example: Example;
}

type State = "loading" | "ready" | "degraded" | "draining" | "failed";

export class Service {
  readonly settings: Settings;
  readonly log: Log;
  readonly keys: KeySource;
  readonly guard: Guard;
  readonly metrics: Metrics;
  readonly jobs: Jobs;
  state: State = "loading";
  failed: ModelFailed | undefined;
  /** Its workers died too often. */
  broken = false;
  served = new Map<string, Served>();
  openapi: string | undefined;
  readonly #project: string;
  readonly #pool: Pool;
  #workers: Workers | undefined;
  #complete = true;
  #digests: Promise<FileDigest[]> | undefined;

  constructor(settings: Settings, project: string, log: Log, keys: KeySource) {
    this.settings = settings;
    this.log = log;
    this.keys = keys;
    this.#project = project;
    this.guard = new Guard(keys, new Limits(settings.rateLimit, settings.maxConcurrency));
    this.metrics = new Metrics(settings.name, settings.version);
    this.jobs = new Jobs(settings.jobsMax, settings.jobsTtlS);
    this.#pool = new Pool(settings, this.metrics);
  }

  /** Load and warm up the models where they will run. `whenFailed`: the service is to end. */
  async load(whenFailed: () => void): Promise<void> {
    const started = performance.now();
    const { settings } = this;
    const threads = Math.max(1, Math.floor(cores() / settings.workers));
    this.#workers = new Workers({
      data: {
        project: this.#project,
        files: settings.files ?? this.#project,
        entries: settings.entry,
        threads: Number(process.env.OMP_NUM_THREADS) || threads,
      },
      count: settings.workers,
      maxDeaths: settings.maxWorkerDeaths,
      pool: this.#pool,
      log: this.log,
      metrics: this.metrics,
      warmUp: (worker, described) => this.#warmUp(worker, described),
      changed: (complete) => this.#changed(complete),
      failed: () => {
        this.#pool.abandon();
        if (this.state === "draining") return;
        this.state = "failed";
        this.broken = true;
        whenFailed();
      },
    });
    try {
      await this.#workers.start();
      this.openapi = openapi(settings, [...this.served.values()], this.keys.configured);
    } catch (error) {
      if (this.state === "draining") return;
      this.state = "failed";
      this.failed = ModelFailed.from("load", error, this.#project);
      return whenFailed();
    }
    const ms = performance.now() - started;
    this.metrics.loadSeconds = ms / 1000;
    if (this.state !== "loading") return;
    this.state = this.#complete ? "ready" : "degraded";
    this.log.write("info", "ready", { load_ms: Math.round(ms) });
  }

  /** An API version by name or number, or the newest. Also while draining: what has arrived is answered. */
  api(version?: string): Served {
    if (this.openapi === undefined) throw this.notReady();
    const all = [...this.served.values()];
    const found =
      version === undefined ? all.at(-1) : this.served.get(version.startsWith("v") ? version : `v${version}`);
    if (!found) throw new ApiError(404, "not_found", "there is no such version of the model");
    return found;
  }

  notReady(): ApiError {
    const words: Partial<Record<State, string>> = {
      loading: "the model is loading",
      degraded: "a worker is starting again",
      draining: "the service is shutting down",
    };
    return notReady(words[this.state] ?? "the model cannot be asked now");
  }

  /** The model's outputs. Rejects with ApiError 422, 429, 500 `model_error`, 503 or 504. */
  async predict(
    { api, schema }: Served,
    decoded: Decoded,
    request: Request,
    { patienceS = this.settings.timeoutS, signal = request.signal, firstRow = 0 } = {},
  ): Promise<Outputs> {
    if (!this.#pool.hasWorkers) throw noWorker();
    request.rows = decoded.rows;
    const { inputs, rows } = decoded;
    try {
      const { outputs, waitedS } = await this.#pool.predict({ api, schema, inputs, rows, patienceS, signal });
      request.queuedMs = waitedS * 1000;
      return outputs;
    } catch (error) {
      if (error instanceof TimedOut) throw timedOut(patienceS);
      throw this.told(error, request.id, decoded.many, firstRow);
    }
  }

  /** Pieces of the model's answer, as JSON. */
  stream(served: Served, decoded: Decoded, { signal }: Request): AsyncGenerator<string> {
    return this.#pool.stream(served.api, (decoded.inputs as unknown[])[0], signal);
  }

  /** An answer, unless the model's outputs are not what is promised. */
  encoded<Result>(encode: () => Result, requestId: string): Result {
    try {
      return encode();
    } catch (error) {
      throw this.told(error, requestId);
    }
  }

  /** What the caller hears of an error; the log has the rest. */
  told(error: unknown, requestId: string, many = false, firstRow = 0): unknown {
    if (error instanceof InputRefused) {
      return invalid(
        error.broken.map(({ row, path, rule, type }) => {
          if (!many) return { path, rule, type };
          return { path: `rows[${row + firstRow}]${path === "body" ? "" : `.${path}`}`, rule, type };
        }),
      );
    }
    if (!(error instanceof ModelRaised) && !(error instanceof OutputError)) return error;
    const { reason, traceback } = error instanceof ModelRaised ? error.failure : { reason: error.message };
    this.log.write("error", "model_error", { request_id: requestId, reason, traceback });
    return new ApiError(500, "model_error", "the model failed on this request; its log has the reason");
  }

  /** Path, size and SHA-256 of each model file; read once, when first asked for. */
  fileDigests(): Promise<FileDigest[]> {
    if (this.settings.files === undefined) return Promise.resolve([]);
    this.#digests ??= digests(this.settings.files);
    return this.#digests;
  }

  metricsText(): string {
    return this.metrics.text(this.#pool.rows);
  }

  drain(signal: string): void {
    if (this.state === "draining") return;
    this.state = "draining";
    this.log.write("info", "draining", { signal });
  }

  async stop(): Promise<void> {
    this.keys.close();
    await this.#workers?.stop();
  }

  /** While one of several is starting again, the others go on; who balances loads should prefer other services. */
  #changed(complete: boolean): void {
    this.#complete = complete;
    if (this.state === "ready" || this.state === "degraded") this.state = complete ? "ready" : "degraded";
  }

  /** So that the first caller does not pay for what is made on the first call. */
  async #warmUp(worker: Worker, described: Map<string, Description>): Promise<void> {
    this.#describe(described);
    if (!this.settings.warmUp) return;
    for (const { api, schema, example } of this.served.values()) {
      if (!example.decoded || schema.streams) continue;
      const [reply] = await worker.predict({ op: "predict", api, parts: [example.decoded.inputs] });
      if (reply?.kind === "outputs") continue;
      const reason = reply?.kind === "failed" ? reply.reason : (reply?.broken[0]?.rule ?? "");
      const shown = (reply?.kind === "failed" && reply.traceback) || reason;
      throw new ModelFailed("warm_up", `the model fails on ${exampleFile}: ${reason}`, shown);
    }
  }

  #describe(described: Map<string, Description>): void {
    if (this.served.size > 0) return;
    for (const [api, description] of described) {
      const schema = schemaOf(description, this.settings.maxRows);
      const example = readExample(this.#project, schema);
      if (example.problem !== undefined)
        this.log.write("warning", "example_ignored", { file: exampleFile, reason: example.problem });
      this.served.set(api, { api, schema, example });
    }
  }
}

export function timedOut(limitS: number): ApiError {
  return new ApiError(504, "timeout", `the model did not answer within ${limitS} s`);
}
