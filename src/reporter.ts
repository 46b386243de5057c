/**
 * What use cases say while they work. They never print: src/ui renders these events for a terminal,
 * for a plain log, or as JSON lines.
 */
export type ReporterEvent =
  /** A remark worth one line. */
  | { type: "note"; message: string }
  /** Something the user should know although the work goes on. */
  | { type: "warning"; message: string; hint?: string }
  /** A piece of work that takes a while. `id` ties its later events together. */
  | { type: "task-started"; id: string; title: string }
  /** How far it is. `current` and `total` are in `unit`; `detail` is a short state such as "Retrying in 5 s". */
  | { type: "task-progress"; id: string; current?: number; total?: number; unit?: "bytes"; detail?: string }
  /** A line that the work itself printed (a build step, a container). */
  | { type: "task-output"; id: string; line: string }
  | {
      type: "task-ended";
      id: string;
      outcome: "done" | "cached" | "failed";
      seconds?: number;
      detail?: string;
    };

export type Reporter = (event: ReporterEvent) => void;

/** For callers that want no talk. */
export const silent: Reporter = () => {};

/** Runs `work` as one reported task; its failure ends the task as failed and is thrown on. */
export async function task<T>(
  report: Reporter,
  id: string,
  title: string,
  work: () => Promise<T>,
  detail?: (result: T) => string,
): Promise<T> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  report({ type: "task-started", id, title });
  try {
    const result = await work();
    report({
      type: "task-ended",
      id,
      outcome: "done",
      seconds: seconds(),
      ...(detail && { detail: detail(result) }),
    });
    return result;
  } catch (error) {
    report({ type: "task-ended", id, outcome: "failed", seconds: seconds() });
    throw error;
  }
}
