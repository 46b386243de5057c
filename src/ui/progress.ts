import type { ReporterEvent } from "../reporter.js";
import { formatBytes, formatDuration, formatPercent, formatRate } from "./format.js";
import { redact } from "./redact.js";
import { plainLine } from "./style.js";

type Progress = Extract<ReporterEvent, { type: "task-progress" }>;

const rateWindowSeconds = 3;
const keptLines = 5000;

/** What is known of one running task; `now` is in seconds. */
export class TaskState {
  readonly title: string;
  readonly started: number;
  detail = "";
  /** What the work printed, oldest first. */
  readonly lines: string[] = [];
  private current: number | undefined;
  private total: number | undefined;
  private unit: "bytes" | undefined;
  private samples: { at: number; bytes: number }[] = [];

  constructor(title: string, now: number) {
    this.title = redact(plainLine(title));
    this.started = now;
  }

  progress(event: Progress, now: number): void {
    if (event.current !== undefined) this.current = event.current;
    if (event.total !== undefined) this.total = event.total;
    if (event.unit !== undefined) this.unit = event.unit;
    this.detail = event.detail === undefined ? "" : redact(plainLine(event.detail));
    if (this.unit === "bytes" && event.current !== undefined) {
      // A retry starts again: rates of what was sent before say nothing.
      if (event.current < (this.samples.at(-1)?.bytes ?? 0)) this.samples = [];
      this.samples.push({ at: now, bytes: event.current });
      const recent = this.samples.findIndex((sample) => sample.at >= now - rateWindowSeconds);
      if (recent > 0) this.samples.splice(0, recent);
    }
  }

  output(line: string): void {
    const text = redact(plainLine(line));
    this.lines.push(text);
    if (this.lines.length > keptLines) this.lines.shift();
  }

  /** Bytes a second over the last few seconds, when that means something. */
  rate(now: number): number | undefined {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (!first || !last || last.at - first.at < 0.25) return undefined;
    return (last.bytes - first.bytes) / Math.max(last.at - first.at, now - first.at);
  }

  /** `43 MB of 120 MB`, `36%`, `34 MB/s`, `Retrying in 5 s`: whatever is known, most important first. */
  numbers(now: number): string[] {
    const parts: string[] = [];
    if (this.detail) parts.push(this.detail);
    const { current, total } = this;
    if (current !== undefined) {
      const show = (value: number) => (this.unit === "bytes" ? formatBytes(value) : String(value));
      parts.push(total === undefined ? show(current) : `${show(current)} of ${show(total)}`);
      if (total !== undefined && this.unit === "bytes") parts.push(formatPercent(current, total));
      const rate = this.rate(now);
      if (rate !== undefined && rate > 0) parts.push(formatRate(rate));
    }
    return parts;
  }

  elapsed(now: number): string {
    return formatDuration(now - this.started);
  }
}
