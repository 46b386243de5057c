import type { CommandContext } from "./command.js";

/** For options that may be given many times. */
export function list(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

/** Parses an option where it was given. */
export function number(text: string | undefined, parse: (text: string) => number): number | undefined {
  return text === undefined ? undefined : parse(text);
}

/**
 * Prints a line of a service's output: as a `result` on the stream it came from, or as `talk` on stderr, where
 * stdout is kept for something else.
 */
export function printLog(
  context: CommandContext,
  { stream, line }: { stream: "stdout" | "stderr"; line: string },
  as: "result" | "talk",
): void {
  if (context.json) context.stream(line, { stream, line });
  else if (as === "result" && stream === "stdout") context.stream(line, undefined);
  else if (as === "result" || !context.quiet) process.stderr.write(`${line}\n`);
}
