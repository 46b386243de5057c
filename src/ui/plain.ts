import type { ReporterEvent } from "../reporter.js";
import { formatDuration } from "./format.js";
import { TaskState } from "./progress.js";
import { redact } from "./redact.js";
import type { Renderer } from "./renderer.js";
import { plainLine } from "./style.js";

export interface PlainOptions {
  write: (text: string) => void;
  /** Shows what the work prints as it comes, not only when it fails. */
  debug: boolean;
  /** Seconds; for tests. */
  now?: () => number;
  /** Milliseconds until a task that still runs is worth a line of its own; what ends sooner has the line of its end. */
  patience?: number;
}

const secondsBetweenProgress = 5;
const secondsBetweenDetails = 1;

interface PlainTask extends TaskState {
  said?: { at: number; detail: string };
  /** Says that the task runs, unless it has ended by then. */
  announcement?: NodeJS.Timeout;
}

/** For logs: a line when a task ends, one when it takes a while, now and then one in between. Nothing moves. */
export function createPlainRenderer({ write, debug, now = clock, patience = 1500 }: PlainOptions): Renderer {
  const tasks = new Map<string, PlainTask>();
  const say = (line: string) => write(`${line}\n`);

  const report = (event: ReporterEvent) => {
    switch (event.type) {
      case "note":
        say(redact(plainLine(event.message)));
        return;
      case "warning":
        say(`warning: ${redact(plainLine(event.message))}`);
        if (event.hint) say(`  ${redact(plainLine(event.hint))}`);
        return;
      case "task-started": {
        const state: PlainTask = new TaskState(event.title, now());
        tasks.set(event.id, state);
        if (patience === 0) say(state.title);
        else state.announcement = setTimeout(() => say(state.title), patience).unref();
        return;
      }
      case "task-progress": {
        const state = tasks.get(event.id);
        if (!state) return;
        state.progress(event, now());
        const said = state.said ?? { at: state.started, detail: "" };
        const news = state.detail !== "" && state.detail !== said.detail;
        if (now() - said.at < (news ? secondsBetweenDetails : secondsBetweenProgress)) return;
        state.said = { at: now(), detail: state.detail };
        const numbers = state.numbers(now());
        if (numbers.length > 0) say(`${state.title}: ${numbers.join(", ")}`);
        return;
      }
      case "task-output": {
        const state = tasks.get(event.id);
        state?.output(event.line);
        if (debug && state) say(`  | ${state.lines.at(-1)}`);
        return;
      }
      case "task-ended": {
        const state = tasks.get(event.id);
        if (!state) return;
        tasks.delete(event.id);
        clearTimeout(state.announcement);
        const took = formatDuration(event.seconds ?? now() - state.started);
        const outcome = {
          done: `done in ${took}`,
          cached: "cached",
          failed: `failed after ${took}`,
        }[event.outcome];
        const detail = event.detail ? `, ${redact(plainLine(event.detail))}` : "";
        say(`${state.title}: ${outcome}${detail}`);
        return;
      }
    }
  };
  const close = () => {
    for (const { announcement } of tasks.values()) clearTimeout(announcement);
  };
  return { report, close };
}

function clock(): number {
  return performance.now() / 1000;
}
