import type { Command } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";

interface PredictFlags {
  input?: string;
  url?: string;
  name?: string;
  timeout: string;
}

export default function define(command: Command, run: Run): void {
  command
    .option(
      "-i, --input <json>",
      "JSON, @file, or - for stdin (default: the project's examples/request.json)",
    )
    .option("--url <url>", "The service's address (default: the project's running service)")
    .option("--name <name>", "Which of several services")
    .option("--timeout <seconds>", "How long the answer may take", "300")
    .addHelpText(
      "after",
      "\nThe environment variable MODELSHIP_API_KEY holds the key of a service that asks for one.",
    )
    .action(run(action));
}

async function action(context: CommandContext, flags: PredictFlags): Promise<CommandResult> {
  const { predictOnce } = await import("../deploy/predict.js");
  const { parseSeconds } = await import("../deploy/limits.js");
  const answer = await predictOnce({
    input: flags.input,
    url: flags.url,
    name: flags.name,
    timeout: parseSeconds("--timeout", flags.timeout),
    stdin: process.stdin,
    ...surroundings(context),
  });
  const text = answer.text(process.stdout.isTTY === true);
  if (text === undefined && !context.json) await write(answer.body);
  return { json: answer.document(), text };
}

/** Bytes that are no text go out as they are. */
function write(bytes: Buffer): Promise<void> {
  return new Promise((resolve) => process.stdout.write(bytes, () => resolve()));
}
