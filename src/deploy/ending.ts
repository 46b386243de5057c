import type { Engine } from "../docker/client.js";
import { inspectContainer } from "../docker/containers.js";
import { containerLogs, type LogLine } from "../docker/logs.js";
import type { Ending } from "./failure.js";

const linesOfAnEnding = 200;

/** How a container ended, or stands, with the last of what it printed. */
export async function ending(engine: Engine, id: string): Promise<Ending> {
  const state = await inspectContainer(engine, id);
  const lines: LogLine[] = [];
  try {
    if (state)
      for await (const line of containerLogs(engine, id, { tail: linesOfAnEnding })) lines.push(line);
  } catch {
    // Logs are a help, and some log drivers give none; the ending itself is what has to be told.
  }
  return { state, lines };
}
