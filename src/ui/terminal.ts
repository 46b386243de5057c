import type { Ora } from "ora";
import type { ReporterEvent } from "../reporter.js";
import { formatDuration } from "./format.js";
import { TaskState } from "./progress.js";
import { redact } from "./redact.js";
import type { Renderer } from "./renderer.js";
import { clip, plainLine, type Style } from "./style.js";

export interface TerminalOptions {
  stream: NodeJS.WriteStream;
  style: Style;
  /** Shows all of a failed task's output instead of its end. */
  debug: boolean;
}

const liveTasks = 6;
const refreshMilliseconds = 100;

/** For a person: running tasks in a few live lines, finished ones as one quiet line each. */
export function createTerminalRenderer({ stream, style, debug }: TerminalOptions): Renderer {
  const tasks = new Map<string, TaskState>();
  const live = new LiveLines(stream, style, () => liveText([...tasks.values()], stream, style));
  const say = (line: string) => stream.write(`${line}\n`);
  const symbols = style.unicode
    ? { done: "✔", cached: "✔", failed: "✖", warning: "⚠" }
    : { done: "+", cached: "=", failed: "x", warning: "!" };

  const ended = (event: Extract<ReporterEvent, { type: "task-ended" }>, state: TaskState) => {
    const words = [state.title];
    if (event.detail) words.push(style.dim(redact(plainLine(event.detail))));
    const took = formatDuration(event.seconds ?? clock() - state.started);
    if (event.outcome === "cached") {
      say(
        style.dim(`${symbols.cached} ${state.title}  ${[event.detail, "cached"].filter(Boolean).join("  ")}`),
      );
      return;
    }
    if (event.outcome === "done") {
      say(`${style.green(symbols.done)} ${words.join("  ")}  ${style.dim(took)}`);
      return;
    }
    // The error that follows shows the lines that tell; all of them are for --debug.
    if (debug) for (const line of state.lines) say(`  ${style.dim("|")} ${line}`);
    say(`${style.red(symbols.failed)} ${words.join("  ")}  ${style.dim(took)}`);
  };

  const report = (event: ReporterEvent) => {
    switch (event.type) {
      case "note":
        say(redact(plainLine(event.message)));
        return;
      case "warning":
        say(`${style.yellow(`${symbols.warning} ${redact(plainLine(event.message))}`)}`);
        if (event.hint) say(`  ${style.dim(redact(plainLine(event.hint)))}`);
        return;
      case "task-started":
        tasks.set(event.id, new TaskState(event.title, clock()));
        live.refresh();
        return;
      case "task-progress":
        tasks.get(event.id)?.progress(event, clock());
        return;
      case "task-output":
        tasks.get(event.id)?.output(event.line);
        return;
      case "task-ended": {
        const state = tasks.get(event.id);
        if (!state) return;
        tasks.delete(event.id);
        // What is live is taken away first: a line that ended must not be seen twice, not even for a moment.
        live.pause();
        ended(event, state);
        live.refresh();
        return;
      }
    }
  };
  return {
    report,
    close: () => {
      tasks.clear();
      live.close();
    },
  };
}

/** The lines below everything else that change while tasks run. ora draws them; it is loaded with the first task. */
class LiveLines {
  private spinner: Ora | undefined;
  private loading = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly stream: NodeJS.WriteStream;
  private readonly style: Style;
  /** Nothing when there is nothing to show. */
  private readonly text: () => string | undefined;

  constructor(stream: NodeJS.WriteStream, style: Style, text: () => string | undefined) {
    this.stream = stream;
    this.style = style;
    this.text = text;
  }

  refresh(): void {
    const text = this.text();
    if (this.closed || text === undefined) {
      this.pause();
      return;
    }
    if (!this.spinner) {
      void this.load();
      return;
    }
    this.spinner.text = text;
    if (!this.spinner.isSpinning) this.spinner.start();
    this.timer ??= setInterval(() => this.refresh(), refreshMilliseconds).unref();
  }

  pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.spinner?.isSpinning) this.spinner.stop();
  }

  close(): void {
    this.closed = true;
    this.pause();
  }

  private async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    const { default: ora } = await import("ora");
    this.spinner = ora({
      stream: this.stream,
      isEnabled: true,
      color: this.style.color ? "cyan" : false,
      // Keys typed meanwhile belong to whoever asks next, and Ctrl-C must stay a signal.
      discardStdin: false,
      ...(!this.style.unicode && { spinner: "line" as const }),
    });
    this.refresh();
  }
}

function liveText(tasks: readonly TaskState[], stream: NodeJS.WriteStream, style: Style): string | undefined {
  if (tasks.length === 0) return undefined;
  const now = clock();
  // ora puts its spinner and a space before the first line; the others are indented as far.
  const columns = Math.max(20, stream.columns ?? 80) - 3;
  const shown = tasks.slice(0, liveTasks);
  const lines: string[] = [];
  for (const state of shown) {
    const facts = [...state.numbers(now), state.elapsed(now)].join("  ");
    const title = clip(state.title, columns);
    const room = columns - [...title].length - 2;
    lines.push(room > 4 ? `${title}  ${style.dim(clip(facts, room))}` : title);
    const last = state.lines.at(-1);
    if (last && tasks.length === 1) lines.push(style.dim(clip(last, columns)));
  }
  if (tasks.length > shown.length) lines.push(style.dim(`and ${tasks.length - shown.length} more`));
  return lines.join("\n  ");
}

function clock(): number {
  return performance.now() / 1000;
}
