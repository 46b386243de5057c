import { type BuildEvent, type BuildReading, type BuildRow, rowError } from "../build-events.js";
import { LogLines } from "../log-lines.js";
import { decodeTrace, type Vertex, type VertexStatus } from "./trace.js";

interface Step {
  name: string;
  state: "waiting" | "started" | "ended";
  cached: boolean;
  error: string;
  /** An end that may not be the last one yet. */
  held: BuildEvent | undefined;
  logs: Map<number, LogLines>;
  lines: string[];
}

/** Reads the rows of a BuildKit build: traces, the image id, and an error as the last row. */
export class BuildKitReading implements BuildReading {
  imageId: string | undefined;
  error: string | undefined;
  private readonly on: (event: BuildEvent) => void;
  private readonly known = new Map<string, Step>();

  constructor(on: (event: BuildEvent) => void) {
    this.on = on;
  }

  take(row: BuildRow): void {
    this.error ??= rowError(row);
    if (row.id === "moby.buildkit.trace" && typeof row.aux === "string") this.trace(row.aux);
    else if (row.id === "moby.image.id")
      this.imageId = (row.aux as { ID?: string } | null)?.ID ?? this.imageId;
  }

  finish(): void {
    for (const step of this.known.values()) {
      for (const log of step.logs.values()) log.flush();
      if (step.held !== undefined) this.on(step.held);
      step.held = undefined;
    }
  }

  get steps(): number {
    return this.counted().length;
  }

  get cachedSteps(): number {
    return this.counted().filter((step) => step.cached).length;
  }

  get failedStep(): { name: string; lines: readonly string[] } | undefined {
    const failed = [...this.known.values()].filter((step) => step.error !== "");
    // Steps beside the one that failed are cancelled because of it.
    return failed.find((step) => !/context canceled/.test(step.error)) ?? failed[0];
  }

  /** Steps of the Dockerfile, as opposed to `[internal]` and `exporting`. */
  private counted(): Step[] {
    return [...this.known.values()].filter(
      (step) => step.state === "ended" && /^\[([^\]]+ )?\d+\/\d+\] /.test(step.name),
    );
  }

  private trace(base64: string): void {
    const trace = decodeTrace(Buffer.from(base64, "base64"));
    // A row can hold a step's start, its output and its end: in this order they read right.
    for (const vertex of trace.vertexes) this.begin(vertex);
    for (const status of trace.statuses) this.progress(status);
    for (const { vertex, stream, data } of trace.logs) this.log(vertex, stream).push(data);
    for (const vertex of trace.vertexes) this.end(vertex);
  }

  private step(digest: string): Step {
    let step = this.known.get(digest);
    if (step === undefined) {
      step = {
        name: "",
        state: "waiting",
        cached: false,
        error: "",
        held: undefined,
        logs: new Map(),
        lines: [],
      };
      this.known.set(digest, step);
    }
    return step;
  }

  private begin(vertex: Vertex): void {
    const step = this.step(vertex.digest);
    step.name = vertex.name || step.name;
    if (vertex.started === undefined || vertex.cached || step.state !== "waiting") return;
    step.state = "started";
    this.on({ type: "step", id: vertex.digest, name: step.name, state: "started" });
  }

  private end(vertex: Vertex): void {
    const step = this.step(vertex.digest);
    const over = vertex.completed !== undefined || vertex.error !== "";
    // A step can be reported again after its end: a base image that turns out to be there already.
    if (over && step.state === "ended") step.cached ||= vertex.cached;
    if (!over || step.state === "ended") return;
    for (const log of step.logs.values()) log.flush();
    step.cached = vertex.cached;
    step.error = vertex.error;
    const state = vertex.error !== "" ? "failed" : vertex.cached ? "cached" : "done";
    const seconds = Math.max(0, (vertex.completed ?? 0) - (vertex.started ?? vertex.completed ?? 0));
    const event: BuildEvent = {
      type: "step",
      id: vertex.digest,
      name: step.name,
      state,
      seconds,
      ...(vertex.error !== "" && { error: vertex.error }),
    };
    // Transfers are reported twice: the working out of a key, in no time, and then the transfer itself.
    if (state === "done" && seconds < 0.001 && step.name.startsWith("[internal]")) {
      step.held = event;
      return;
    }
    step.held = undefined;
    step.state = "ended";
    this.on(event);
  }

  private log(digest: string, stream: number): LogLines {
    const step = this.step(digest);
    let log = step.logs.get(stream);
    if (log === undefined) {
      log = new LogLines((line) => {
        step.lines.push(line);
        if (step.lines.length > 2000) step.lines.splice(0, 1000);
        this.on({ type: "log", id: digest, line });
      });
      step.logs.set(stream, log);
    }
    return log;
  }

  private progress(status: VertexStatus): void {
    if (status.current === 0 && status.total === 0) return;
    const label = status.name || status.id;
    const total = Math.max(0, status.total);
    const current = total > 0 ? Math.min(status.current, total) : status.current;
    this.on({ type: "progress", id: status.vertex, label: label.replace(/:$/, ""), current, total });
  }
}
