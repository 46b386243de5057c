import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../errors.js";

export interface ReadyOptions {
  /** Asks the service once; must not reject. */
  probe: (signal: AbortSignal) => Promise<boolean>;
  /** Resolves when the container has ended. */
  exited: Promise<void>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

const firstPauseMs = 25;
const longestPauseMs = 250;

/** Asks until the service is ready, its container has ended, or time is up. Throws `interrupted` when aborted. */
export async function waitUntilReady(options: ReadyOptions): Promise<"ready" | "exited" | "timeout"> {
  const over = new AbortController();
  const stop = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal;
  const limit = sleep(options.timeoutMs, "timeout" as const, { signal: stop }).catch(
    () => "aborted" as const,
  );
  const ended = options.exited.then(() => "exited" as const);
  try {
    const outcome = await Promise.race([ask(options.probe, stop), ended, limit]);
    throwIfAborted(options.signal);
    return outcome === "aborted" ? "timeout" : outcome;
  } finally {
    over.abort();
  }
}

async function ask(probe: ReadyOptions["probe"], signal: AbortSignal): Promise<"ready" | "aborted"> {
  for (let pause = firstPauseMs; !signal.aborted; pause = Math.min(pause * 1.5, longestPauseMs)) {
    if (await probe(signal)) return "ready";
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
  return "aborted";
}

/** A large model takes long to read: a second more for each 50 MB. */
export function defaultReadySeconds(modelBytes: number): number {
  return 120 + Math.round(modelBytes / 50e6);
}
