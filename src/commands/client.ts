import { Argument, type Command } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";

interface ClientFlags {
  url?: string;
  name?: string;
  api?: string;
  output?: string;
  force?: boolean;
}

export default function define(command: Command, run: Run): void {
  command
    .addArgument(new Argument("<language>", "the client's language").choices(["python", "typescript"]))
    .option("--url <url>", "The service's address (default: the project's running service)")
    .option("--name <name>", "Which of several services")
    .option("--api <version>", "Which of its API versions (default: the newest)")
    .option(
      "-o, --output <file>",
      "Where the client goes, `-` for stdout (default: the project's client.py or client.ts)",
    )
    .option("--force", "Replace a file that is no client")
    .addHelpText(
      "after",
      "\nThe environment variable MODELSHIP_API_KEY holds the key of a service that asks for one. It does not go into the file.",
    )
    .action(run(action));
}

async function action(
  context: CommandContext,
  language: "python" | "typescript",
  flags: ClientFlags,
): Promise<CommandResult> {
  const { makeClient } = await import("../deploy/client.js");
  const { text, path, shown, service, unchanged } = await makeClient({
    language,
    url: flags.url,
    name: flags.name,
    api: flags.api,
    output: flags.output,
    force: flags.force ?? false,
    ...surroundings(context),
  });
  const about = { language, service: service.name, version: service.version, api: service.api };
  if (path === undefined) return { json: { ...about, text }, text: text.trimEnd() };
  const what = `client of ${service.name} ${service.version}`;
  context.report({
    type: "note",
    message: unchanged ? `${shown || path} is the ${what} already.` : `Wrote ${shown || path}: the ${what}.`,
  });
  return { json: { ...about, path, unchanged }, scriptText: path };
}
