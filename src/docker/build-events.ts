/** What happens in a build, whichever builder does it. `id` ties the events of one step together. */
export type BuildEvent =
  | {
      type: "step";
      id: string;
      /** As the builder names it: `[builder 2/5] RUN pip install ...`, `[internal] load build context`. */
      name: string;
      state: "started" | "done" | "cached" | "failed";
      /** Of a step that ended. */
      seconds?: number;
      /** Of a failed one. */
      error?: string;
    }
  /** One whole line that a step printed, without colours; of a line that redraws itself, the last state. */
  | { type: "log"; id: string; line: string }
  /** How far a part of a step is (a layer, a transfer), in bytes. `total` is 0 where it is not known. */
  | { type: "progress"; id: string; label: string; current: number; total: number };

/** One row of the engine's answer to /build. */
export interface BuildRow {
  stream?: string;
  status?: string;
  id?: string;
  aux?: unknown;
  progressDetail?: { current?: number; total?: number };
  error?: string;
  errorDetail?: { message?: string };
}

/** Follows the rows of one build and knows at the end how it went. */
export interface BuildReading {
  take(row: BuildRow): void;
  /** No more rows: ends what is still open. */
  finish(): void;
  readonly imageId: string | undefined;
  /** What the engine says went wrong; `undefined` as long as nothing did. */
  readonly error: string | undefined;
  /** The step that failed, and the last lines that it printed. */
  readonly failedStep: { name: string; lines: readonly string[] } | undefined;
  /** Steps of the Dockerfile that were seen, and how many of them were taken from the cache. */
  readonly steps: number;
  readonly cachedSteps: number;
}

export function rowError(row: BuildRow): string | undefined {
  const message = row.errorDetail?.message || row.error;
  return message === undefined || message === "" ? undefined : message.trim();
}
