import { localUrl } from "../deploy/address.js";
import { firstRequest } from "../deploy/example.js";
import { modelFailed, serviceFailed } from "../deploy/failure.js";
import { choosePort } from "../deploy/ports.js";
import { waitUntilReady } from "../deploy/ready.js";
import { isUserError, throwIfAborted, type UserError } from "../errors.js";
import type { OutputLine } from "../exec.js";
import { task } from "../reporter.js";
import { isReady } from "../service/client.js";
import { type Prepared, type PrepareOptions, prepare } from "./prepare.js";
import { type Service, startService } from "./service.js";
import { ProjectWatch } from "./watch.js";

export interface DevOptions extends PrepareOptions {
  /** 0 for a free one. By default the service's own. */
  port?: number | undefined;
  /** Address to listen on. */
  bind: string;
  /** Start again when a file is saved; without it `develop` ends with the service. */
  reload: boolean;
  /** It is ready for the first time. */
  onReady: (service: DevService) => void;
  /** What the service prints. */
  onLog: (line: OutputLine) => void;
  /** Takes work to do when the user cannot wait for a clean end; returns a function that takes it back. */
  lastResort?: ((work: () => Promise<void>) => () => void) | undefined;
}

export interface DevService {
  name: string;
  url: string;
  /** A line to copy that sends a request. */
  curl: string;
}

/**
 * Runs the project's service on this machine, without an image and without an engine, and starts it again when a file
 * is saved. Returns when `signal` fires after it was ready; throws `interrupted` when it fires before.
 */
export async function develop(options: DevOptions): Promise<DevService> {
  const { bind, report } = options;
  const prepared = await prepare(options);
  const { root, config } = prepared.project;
  const port = await choosePort(bind, options.port ?? config.service.port, report);
  const url = localUrl(bind, port);
  const about = {
    name: config.name,
    url,
    curl: await firstRequest(url, prepared.project, prepared.given, options.cwd),
  };
  const watch = options.reload ? await ProjectWatch.open(root, prepared.filter, report) : undefined;
  const session = new Session(options, { about, port, prepared, watch });
  const forget = options.lastResort?.(async () => session.close());
  try {
    await session.run();
    return about;
  } finally {
    session.close();
    forget?.();
  }
}

interface Beginning {
  about: DevService;
  port: number;
  prepared: Prepared;
  watch: ProjectWatch | undefined;
}

type Outcome = "ready" | "saved again" | "ended";
/** No start is too slow: it waits for a model, or for the next save. */
const forEverMs = 2 ** 31 - 1;

class EndedTooSoon extends Error {}

class Session {
  readonly #options: DevOptions;
  readonly #about: DevService;
  readonly #port: number;
  readonly #watch: ProjectWatch | undefined;
  readonly #asked: Promise<"asked">;
  #prepared: Prepared;
  #service: Service | undefined;
  #wasReady = false;

  constructor(options: DevOptions, { about, port, prepared, watch }: Beginning) {
    this.#options = options;
    this.#about = about;
    this.#port = port;
    this.#prepared = prepared;
    this.#watch = watch;
    this.#asked = new Promise((resolve) => {
      if (options.signal?.aborted) resolve("asked");
      options.signal?.addEventListener("abort", () => resolve("asked"), { once: true });
    });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    try {
      await this.#attempt("start", `Start ${this.#about.name}`, () => this.#start());
      for (;;) {
        const what = await this.#next();
        if (what === "asked") break;
        if (what === "ended") this.#tell("ended");
        else await this.#reload(this.#watch?.take() ?? []);
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
    await this.#stop();
    if (!this.#wasReady) throwIfAborted(signal);
  }

  /** Nothing of it is left running, come what may. */
  close(): void {
    this.#watch?.close();
    this.#service?.kill();
  }

  #next(): Promise<"asked" | "changed" | "ended"> {
    const events: Promise<"asked" | "changed" | "ended">[] = [this.#asked];
    if (this.#service) events.push(this.#service.ended.then(() => "ended"));
    if (this.#watch) events.push(this.#watch.changed.then(() => "changed"));
    return Promise.race(events);
  }

  async #start(): Promise<Outcome> {
    const { env, bind, onLog, signal } = this.#options;
    const service = startService(this.#prepared, { env, host: bind, port: this.#port, onLog });
    this.#service = service;
    const outcome = await waitUntilReady({
      probe: (stop) => isReady(this.#about.url, stop),
      exited: Promise.race([service.ended, ...(this.#watch ? [this.#watch.changed] : [])]),
      timeoutMs: forEverMs,
      signal,
    });
    if (outcome === "ready") return "ready";
    return service.ending() ? "ended" : "saved again";
  }

  async #reload(changed: readonly string[]): Promise<void> {
    const { signal } = this.#options;
    if (this.#prepared.concerns(changed)) {
      try {
        this.#prepared = await prepare(this.#options);
        if (this.#watch) this.#watch.filter = this.#prepared.filter;
      } catch (error) {
        throwIfAborted(signal);
        if (!isUserError(error)) throw error;
        this.#complain(error);
        return; // what runs goes on
      }
    }
    const title = `Reload ${this.#about.name} (${[...changed.slice(0, 3), ...(changed.length > 3 ? ["..."] : [])].join(", ")})`;
    const restart = async () => {
      await this.#service?.stop();
      throwIfAborted(signal);
      return this.#start();
    };
    await this.#attempt("reload", title, restart);
  }

  /** One reported start, whose outcome is told; only a service that becomes ready, or is overtaken, has succeeded. */
  async #attempt(id: string, title: string, work: () => Promise<Outcome>): Promise<void> {
    let outcome: Outcome = "ended";
    const attempt = async () => {
      outcome = await work();
      if (outcome === "ended") throw new EndedTooSoon();
      return outcome;
    };
    await task(this.#options.report, id, title, attempt, noteworthy).catch((error: unknown) => {
      if (!(error instanceof EndedTooSoon)) throw error;
    });
    this.#tell(outcome);
  }

  #tell(outcome: Outcome): void {
    if (outcome === "ready" && !this.#wasReady) {
      this.#wasReady = true;
      this.#options.onReady(this.#about);
    }
    if (outcome === "ended") this.#tellEnding();
  }

  /** It ended by itself: with the user's next save it gets another chance, where one can help. */
  #tellEnding(): void {
    const ending = this.#service?.ending();
    this.#service = undefined;
    const exitCode = ending?.state?.exitCode;
    const { name } = this.#about;
    if (!ending) return;
    const mayHelp = this.#watch && (this.#wasReady || exitCode === modelFailed);
    if (!mayHelp) throw serviceFailed(name, ending, this.#wasReady);
    this.#options.report({
      type: "warning",
      message:
        exitCode === modelFailed ? `${name} did not load.` : `${name} ended with exit code ${exitCode}.`,
      hint: "The next save starts it again.",
    });
  }

  #complain({ message, why, hint, excerpt }: UserError): void {
    const { report } = this.#options;
    for (const line of excerpt) report({ type: "note", message: `  | ${line}` });
    report({
      type: "warning",
      message: why === undefined ? message : `${message} ${why}`,
      hint: hint === undefined ? "Nothing was reloaded." : `${hint} Nothing was reloaded.`,
    });
  }

  async #stop(): Promise<void> {
    const service = this.#service;
    if (!service || service.ending()) return;
    await task(this.#options.report, "stop", `Stop ${this.#about.name}`, () => service.stop());
  }
}

function noteworthy(outcome: Outcome): string {
  return outcome === "ready" ? "" : outcome;
}
