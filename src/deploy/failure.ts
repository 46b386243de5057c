import type { ContainerState } from "../docker/containers.js";
import type { LogLine } from "../docker/logs.js";
import { UserError } from "../errors.js";

/** How the runtime says that the user's own code is at fault (templates/service). */
export const modelFailed = 3;
const killed = 137;
const terminated = 143;
const mostLines = 30;

/** What a container left when it ended. */
export interface Ending {
  state: Pick<ContainerState, "exitCode" | "oomKilled" | "error"> | undefined;
  lines: readonly LogLine[];
}

/** Whether somebody stopped the service on purpose, rather than it having failed. */
export function wasStopped({ state }: Ending): boolean {
  return state === undefined || (!state.oomKilled && [0, terminated].includes(state.exitCode));
}

/** The error for a service that ended although nobody stopped it. */
export function serviceFailed(name: string, ending: Ending, wasReady: boolean): UserError {
  const { state, lines } = ending;
  const excerpt = lastWords(lines);
  const when = wasReady ? "" : " before it was ready";
  if (state?.oomKilled)
    return new UserError("service_failed", `${name} ran out of memory${when} and was killed.`, {
      hint: "Give it more with --memory, or leave --memory out.",
      excerpt,
    });
  if (state?.exitCode === modelFailed && !wasReady)
    return new UserError("service_failed", `The model of ${name} did not load.`, {
      why: lastException(excerpt),
      hint: "Fix what the last lines above name, and run it again.",
      excerpt,
    });
  if (state?.exitCode === killed)
    return new UserError("service_failed", `${name} was killed${when}.`, {
      why: "Exit code 137: somebody killed it, or the machine ran out of memory.",
      excerpt,
    });
  return new UserError("service_failed", `${name} ended${when}.`, {
    why: state ? [`Exit code ${state.exitCode}.`, state.error].filter(Boolean).join(" ") : undefined,
    hint: excerpt.length > 0 ? "Its last lines are above." : "It printed nothing.",
    excerpt,
  });
}

/** The error for a service that still runs and is not ready when time is up. */
export function notReady(name: string, seconds: number, lines: readonly LogLine[]): UserError {
  return new UserError("service_not_ready", `${name} was not ready after ${seconds} s, and was removed.`, {
    why: "It runs, and /readyz does not answer 200.",
    hint: "Give it longer with --timeout SECONDS.",
    excerpt: lastWords(lines),
  });
}

/** What a reader wants to see: the last traceback, or else the last lines, those of stderr if there are any. */
export function lastWords(lines: readonly LogLine[]): string[] {
  const errors = lines.filter(({ stream }) => stream === "stderr");
  const texts = (errors.some(({ line }) => line.trim() !== "") ? errors : lines).map(({ line }) => line);
  while (texts.length > 0 && texts.at(-1)?.trim() === "") texts.pop();
  const start = texts.findLastIndex((line) => line.startsWith("Traceback (most recent call last)"));
  if (start < 0) return texts.slice(-20);
  // A traceback that was caused by another one: the first tells where it began.
  let first = start;
  while (
    /^(During handling of the above|The above exception was the direct cause)/.test(texts[first - 2] ?? "")
  ) {
    const earlier = texts.slice(0, first - 2).findLastIndex((line) => line.startsWith("Traceback ("));
    if (earlier < 0) break;
    first = earlier;
  }
  const traceback = texts.slice(first);
  return traceback.length <= mostLines ? traceback : texts.slice(start).slice(-mostLines);
}

/** `ValueError: boom`, from the end of a traceback. */
function lastException(excerpt: readonly string[]): string | undefined {
  return excerpt.findLast((line) =>
    /^[A-Za-z_][\w.]*(Error|Exception|Warning|Interrupt|Exit)?(: .*)?$/.test(line),
  );
}
