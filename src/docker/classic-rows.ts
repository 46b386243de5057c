import { type BuildEvent, type BuildReading, type BuildRow, rowError } from "./build-events.js";
import { LogLines } from "./log-lines.js";

interface Step {
  id: string;
  name: string;
  cached: boolean;
  /** A FROM is cached unless something was pulled for it. */
  isFrom: boolean;
  began: number;
  lines: string[];
}

/** `Step 2/5 : RUN x` (Docker), `STEP 2/5: RUN x` and `[1/2] STEP 2/5: RUN x` (Podman). */
const stepLine = /^(?:\[(\d+)\/(\d+)\] )?(?:Step|STEP) (\d+)\/(\d+) ?: (.*)$/s;

/** Reads the rows of a build without BuildKit: plain text, in which steps have to be recognised. */
export class ClassicReading implements BuildReading {
  imageId: string | undefined;
  error: string | undefined;
  failedStep: { name: string; lines: readonly string[] } | undefined;
  steps = 0;
  cachedSteps = 0;
  private readonly on: (event: BuildEvent) => void;
  private readonly now: () => number;
  private readonly text = new LogLines((line) => this.line(line));
  private current: Step | undefined;
  private expected = 1;

  constructor(on: (event: BuildEvent) => void, now: () => number = () => performance.now()) {
    this.on = on;
    this.now = now;
  }

  take(row: BuildRow): void {
    const error = rowError(row);
    if (error !== undefined && this.error === undefined) {
      this.text.flush();
      this.error = error;
      this.endStep(error);
    }
    const id = (row.aux as { ID?: unknown } | null | undefined)?.ID;
    // A build with several stages names several: the last is the image.
    if (typeof id === "string") this.imageId = id;
    if (row.stream !== undefined) this.text.push(row.stream);
    else if (row.status !== undefined) this.pulling(row.status, row);
  }

  finish(): void {
    this.text.flush();
    this.endStep(undefined);
  }

  private line(line: string): void {
    const match = stepLine.exec(line);
    // A program that prints "Step 9/9 : x" is not taken for the builder: the count has to fit.
    if (match && Number(match[3]) === this.expected) {
      this.endStep(undefined);
      this.startStep(match);
      return;
    }
    const built = /^Successfully built ([0-9a-f]{12,64})$/.exec(line);
    if (built?.[1] && this.imageId === undefined) this.imageId = built[1];
    if (/^(?: --->|-->) Using cache/.test(line) && this.current) this.current.cached = true;
    if (!this.current || isChatter(line)) return;
    this.current.lines.push(line);
    if (this.current.lines.length > 2000) this.current.lines.splice(0, 1000);
    this.on({ type: "log", id: this.current.id, line });
  }

  private startStep([, stage, stages, number, total, text = ""]: RegExpExecArray): void {
    this.steps++;
    this.expected = Number(number) === Number(total) ? 1 : Number(number) + 1;
    const place =
      stage === undefined ? `${number}/${total}` : `stage ${stage} of ${stages} ${number}/${total}`;
    const name = `[${place}] ${text.trim()}`;
    const isFrom = /^FROM\s/i.test(text);
    this.current = { id: `step-${this.steps}`, name, cached: isFrom, isFrom, began: this.now(), lines: [] };
    this.on({ type: "step", id: this.current.id, name, state: "started" });
  }

  private endStep(error: string | undefined): void {
    const step = this.current;
    if (step === undefined) return;
    this.current = undefined;
    const seconds = (this.now() - step.began) / 1000;
    const shared = { type: "step", id: step.id, name: step.name, seconds } as const;
    if (error !== undefined) {
      this.failedStep = { name: step.name, lines: step.lines };
      this.on({ ...shared, state: "failed", error });
      return;
    }
    if (step.cached) this.cachedSteps++;
    this.on({ ...shared, state: step.cached ? "cached" : "done" });
  }

  private pulling(status: string, row: BuildRow): void {
    const step = this.current;
    if (step === undefined) return;
    if (/^(Downloading|Extracting|Pull complete|Download complete)/.test(status)) step.cached = false;
    const { current, total = 0 } = row.progressDetail ?? {};
    if (current === undefined) return;
    const label = `${status.toLowerCase()} ${row.id ?? ""}`.trim();
    const clamped = total > 0 ? Math.min(current, total) : current;
    this.on({ type: "progress", id: step.id, label, current: clamped, total });
  }
}

/** What the builder says about itself between the steps. */
function isChatter(line: string): boolean {
  return (
    line === "" ||
    /^(?: --->|-->)/.test(line) ||
    /^Removing intermediate container [0-9a-f]+$/.test(line) ||
    /^Successfully (built|tagged) \S+$/.test(line) ||
    /^(\[\d+\/\d+\] )?COMMIT( \S+)?$/.test(line) ||
    /^[0-9a-f]{64}$/.test(line)
  );
}
