import type { Engine } from "../docker/client.js";
import { removeContainer, stopContainer } from "../docker/containers.js";
import { containerLogs, type LogLine } from "../docker/logs.js";
import { messageOf } from "../errors.js";
import { task } from "../reporter.js";
import { ending } from "./ending.js";
import { serviceFailed, wasStopped } from "./failure.js";
import { lastWords, overlapLines } from "./last-words.js";
import type { RunningService, RunOptions } from "./run-options.js";
import type { Started } from "./start.js";

/** The foreground: its output, until it ends by itself or is asked to. */
export async function stay(
  engine: Engine,
  service: RunningService,
  started: Started,
  options: RunOptions,
): Promise<void> {
  const { report, signal } = options;
  const over = new AbortController();
  const seen: LogLine[] = [];
  const say = (line: LogLine) => {
    seen.push(line);
    if (seen.length > overlapLines) seen.shift();
    options.onLog?.(line);
  };
  const output = pump(engine, started.id, over.signal, say, options);
  const asked = new Promise<"asked">((resolve) => {
    if (signal?.aborted) resolve("asked");
    signal?.addEventListener("abort", () => resolve("asked"), { once: true });
  });
  try {
    const why = await Promise.race([started.exit.exited.then(() => "ended" as const), asked]);
    if (why === "asked") {
      const title = `Stop ${service.name} (it has ${options.drain} s to finish its requests)`;
      await task(report, "stop", title, () => stopContainer(engine, started.id, options.drain));
    }
    // What it printed last is still on its way.
    await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    over.abort();
    for (const line of await unheard(engine, started.id, seen)) say(line);
    if (why === "ended") {
      const end = await ending(engine, started.id);
      if (!wasStopped(end)) throw serviceFailed(service.name, end, true);
      report({ type: "note", message: `${service.name} was stopped.` });
    }
    await removeContainer(engine, started.id);
  } finally {
    over.abort();
  }
}

/** Podman ends a followed log with the container, and can lose the last lines; the log itself has them. */
async function unheard(engine: Engine, id: string, seen: readonly LogLine[]): Promise<LogLine[]> {
  const { lines } = await ending(engine, id);
  return lastWords(seen, lines.slice(-overlapLines));
}

async function pump(
  engine: Engine,
  id: string,
  signal: AbortSignal,
  say: (line: LogLine) => void,
  { report }: RunOptions,
): Promise<void> {
  try {
    for await (const line of containerLogs(engine, id, { follow: true, signal })) say(line);
  } catch (error) {
    report({ type: "warning", message: `No more logs: ${messageOf(error)}` });
  }
}
