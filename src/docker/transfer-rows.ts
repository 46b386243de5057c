import type { Reporter } from "../reporter.js";

/** A row of the engine's answer to a push, a pull or a load. */
export interface TransferRow {
  id?: string;
  status?: string;
  stream?: string;
  progressDetail?: { current?: number; total?: number } | null;
  aux?: unknown;
  error?: string;
  errorDetail?: { message?: string };
}

interface Layer {
  task: string;
  began: number;
  ended: boolean;
  /** Bytes that went over the wire, as far as the engine told. */
  moved: number;
  /** Bytes that the layer has, as far as the engine told. */
  total: number;
  skipped: boolean;
}

/** The last states of a layer; the others are on the way there. */
const ends: readonly (readonly [RegExp, "done" | "cached"])[] = [
  [/^(Layer already exists|Already exists|Mounted from|skipped)/i, "cached"],
  [/^(Pushed|Pull complete|Loaded)/i, "done"],
];
const announced =
  /^(Preparing|Waiting|Pulling fs layer|Pushing|Downloading|Extracting|Loading layer|Copying|Retrying|Verifying|Download complete)/i;

/** Turns the rows about single layers into one reported task a layer. */
export class LayerTasks {
  private readonly report: Reporter;
  private readonly prefix: string;
  private readonly layers = new Map<string, Layer>();

  constructor(report: Reporter, prefix: string) {
    this.report = report;
    this.prefix = prefix;
  }

  take(row: TransferRow): void {
    const { id, status } = row;
    if (id === undefined || status === undefined) return;
    const end = ends.find(([pattern]) => pattern.test(status));
    if (end === undefined && !announced.test(status)) return;
    const layer = this.layer(id);
    if (layer.ended) return;
    this.progress(layer, status, row.progressDetail ?? {});
    if (end === undefined) return;
    layer.skipped = end[1] === "cached";
    this.end(layer, end[1], layer.skipped ? status : undefined);
  }

  /** Ends what the engine left open, as it does when it fails and, on Podman, when it is done. */
  finish(outcome: "done" | "failed"): void {
    for (const layer of this.layers.values()) if (!layer.ended) this.end(layer, outcome);
  }

  get bytesMoved(): number {
    return [...this.layers.values()].reduce((sum, layer) => sum + (layer.skipped ? 0 : layer.moved), 0);
  }

  get anySkipped(): boolean {
    return [...this.layers.values()].some((layer) => layer.skipped);
  }

  private layer(id: string): Layer {
    let layer = this.layers.get(id);
    if (layer === undefined) {
      const task = `${this.prefix}:${id}`;
      layer = { task, began: performance.now(), ended: false, moved: 0, total: 0, skipped: false };
      this.layers.set(id, layer);
      this.report({ type: "task-started", id: task, title: id });
    }
    return layer;
  }

  private progress(layer: Layer, status: string, detail: { current?: number; total?: number }): void {
    const { current } = detail;
    const task = layer.task;
    if (typeof current !== "number") {
      // "Retrying in 5 seconds" and the like.
      this.report({ type: "task-progress", id: task, detail: status });
      return;
    }
    const total = typeof detail.total === "number" && detail.total > 0 ? detail.total : undefined;
    const clamped = total === undefined ? current : Math.min(current, total);
    // Unpacking counts again from zero; only what was transferred is summed up.
    if (!/^Extracting/i.test(status)) layer.moved = Math.max(layer.moved, clamped);
    this.report({
      type: "task-progress",
      id: task,
      current: clamped,
      ...(total !== undefined && { total }),
      unit: "bytes",
      detail: status,
    });
  }

  private end(layer: Layer, outcome: "done" | "cached" | "failed", detail?: string): void {
    layer.ended = true;
    const seconds = (performance.now() - layer.began) / 1000;
    this.report({
      type: "task-ended",
      id: layer.task,
      outcome,
      seconds,
      ...(detail !== undefined && { detail }),
    });
  }
}

export function transferError(row: TransferRow): string | undefined {
  const message = row.errorDetail?.message || row.error;
  return message ? message.trim() : undefined;
}
