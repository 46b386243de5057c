import type { Command } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";

export default function define(command: Command, run: Run): void {
  command
    .argument("[names...]", "Which services (default: the project's)")
    .option("-a, --all", "Every service that modelship started")
    .option("--timeout <seconds>", "How long a service may take to finish its requests", "30")
    .action(run(action));
}

async function action(
  context: CommandContext,
  names: string[],
  flags: { all?: boolean; timeout: string },
): Promise<CommandResult> {
  const { stopServices } = await import("../deploy/stop.js");
  const { parseSeconds } = await import("../deploy/limits.js");
  const stopped = await stopServices({
    names,
    all: flags.all ?? false,
    drain: parseSeconds("--timeout", flags.timeout),
    ...surroundings(context),
  });
  return { json: { stopped }, scriptText: stopped.map(({ name }) => name).join("\n") || undefined };
}
