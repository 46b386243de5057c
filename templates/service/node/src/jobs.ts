/** Jobs and their results, in memory: bounded, and forgotten after a time. */
import { randomBytes } from "node:crypto";
import { ApiError } from "./errors.js";
import type { Key } from "./guard/keys.js";

export interface Job {
  id: string;
  /** Name of the key that started it: to others it does not exist. */
  owner: string | undefined;
  created: Date;
  status: "queued" | "succeeded" | "failed" | "cancelled";
  expires?: Date;
  /** JSON. */
  result?: string;
  error?: { code: string; message: string };
  abort: AbortController;
}

/** As JSON. */
export function shownJob({ id, status, created, expires, result, error }: Job): string {
  const shown = JSON.stringify({ id, status, created, expires: expires ?? null, ...(error && { error }) });
  return result === undefined ? shown : `${shown.slice(0, -1)},"result":${result}}`;
}

export class Jobs {
  readonly #most: number;
  readonly #ttlMs: number;
  readonly #jobs = new Map<string, Job>();

  constructor(most: number, ttlS: number) {
    this.#most = most;
    this.#ttlMs = ttlS * 1000;
  }

  /** A new job; finished ones make room for it, the oldest first. Throws ApiError 429 when all are at work. */
  start(owner: string | undefined, work: (job: Job) => Promise<void>): Job {
    this.#forgetExpired();
    if (this.#jobs.size >= this.#most) {
      const oldest = [...this.#jobs.values()].find(({ status }) => status !== "queued");
      if (!oldest)
        throw new ApiError(429, "overloaded", "too many jobs are waiting", {
          headers: [["retry-after", "5"]],
        });
      this.#jobs.delete(oldest.id);
    }
    const id = randomBytes(16).toString("hex");
    const job: Job = { id, owner, created: new Date(), status: "queued", abort: new AbortController() };
    this.#jobs.set(id, job);
    void work(job);
    return job;
  }

  find(id: string, key: Key | undefined): Job {
    this.#forgetExpired();
    const job = this.#jobs.get(id);
    if (!job || (key && key.name !== job.owner && !key.scopes.has("admin")))
      throw new ApiError(404, "not_found", "there is no such job, or no more");
    return job;
  }

  finish(job: Job, end: Pick<Job, "status" | "result" | "error">): void {
    Object.assign(job, end, { expires: new Date(Date.now() + this.#ttlMs) });
    setTimeout(() => this.#forgetExpired(), this.#ttlMs).unref();
  }

  /** Cancel it, or forget its result. */
  end(job: Job): void {
    if (job.status === "queued") {
      this.finish(job, { status: "cancelled" });
      job.abort.abort(new Error("cancelled"));
    }
    this.#jobs.delete(job.id);
  }

  #forgetExpired(): void {
    const now = Date.now();
    for (const job of [...this.#jobs.values()])
      if (job.expires && job.expires.getTime() <= now) this.#jobs.delete(job.id);
  }
}
