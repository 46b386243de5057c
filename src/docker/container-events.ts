import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "./client.js";
import { inspectContainer } from "./containers.js";
import { jsonRequest } from "./request.js";

export interface ExitWatch {
  /** Resolves when the container has ended or is gone. Never rejects. */
  exited: Promise<void>;
  close: () => void;
}

const pollMs = 1000;

/**
 * Watches for the end of a container. Begin before it is started: the engine's own notice comes at once, but only to
 * those who asked before; looking now and then covers a lost connection and engines that miss a very short life.
 */
export function watchExit(engine: Engine, id: string): ExitWatch {
  const closing = new AbortController();
  const { signal } = closing;
  const notice = jsonRequest(engine.docker, {
    method: "POST",
    path: `/containers/${id}/wait`,
    query: { condition: "next-exit" },
    signal,
  }).catch(() => never);
  const exited = Promise.race([notice, poll(engine, id, signal)]).then(() => closing.abort());
  return { exited, close: () => closing.abort() };
}

const never = new Promise<never>(() => {});

async function poll(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await sleep(pollMs, undefined, { signal, ref: false });
      const container = await inspectContainer(engine, id);
      if (!container || ["exited", "dead", "stopped", "removing"].includes(container.state)) return;
    } catch {
      if (signal.aborted) return never;
    }
  }
}
