import type { Command } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";
import { number, printLog } from "./values.js";

interface LogsFlags {
  follow?: boolean;
  tail?: string;
  since?: string;
}

export default function define(command: Command, run: Run): void {
  command
    .argument("[name]", "Which service (default: the project's)")
    .option("-f, --follow", "Go on until the service ends or Ctrl-C")
    .option("-n, --tail <lines>", "Only the last lines")
    .option("--since <time>", "Only later lines: 10m, 2h30m, or a date")
    .action(run(action));
}

async function action(
  context: CommandContext,
  name: string | undefined,
  flags: LogsFlags,
): Promise<CommandResult> {
  const { serviceLogs } = await import("../deploy/logs.js");
  const { parseCount, parseSince } = await import("../deploy/limits.js");
  const lines: { stream: string; line: string }[] = [];
  const shown = await serviceLogs({
    name,
    ...surroundings(context),
    follow: flags.follow ?? false,
    tail: number(flags.tail, (text) => parseCount("--tail", text)),
    since: flags.since === undefined ? undefined : parseSince(flags.since),
    onLine(line) {
      if (context.json) lines.push(line);
      printLog(context, line, "result");
    },
  });
  return { json: { name: shown.name, lines } };
}
