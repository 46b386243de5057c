import { Command, CommanderError, Option } from "commander";
import type { CommandContext, CommandResult, Define, GlobalOptions, Run } from "./commands/command.js";
import { interrupted, UserError } from "./errors.js";
import { createOutput, type Output } from "./ui/output.js";

interface CommandEntry {
  name: string;
  summary: string;
  load: () => Promise<{ default: Define }>;
}

/** The whole command line, in the order of --help. Only the command that is used is loaded. */
const commands: readonly CommandEntry[] = [
  { name: "init", summary: "Start a project from a template", load: () => import("./commands/init.js") },
  { name: "build", summary: "Build the image", load: () => import("./commands/build.js") },
  { name: "run", summary: "Start the service and wait until it is ready", load: () => import("./commands/run.js") },
  { name: "predict", summary: "Send a request to the running service", load: () => import("./commands/predict.js") },
  { name: "push", summary: "Push the image to a registry", load: () => import("./commands/push.js") },
  { name: "ps", summary: "List the services that modelship started", load: () => import("./commands/ps.js") },
  { name: "logs", summary: "Show the logs of a service", load: () => import("./commands/logs.js") },
  { name: "stop", summary: "Stop services and remove their containers", load: () => import("./commands/stop.js") },
  { name: "login", summary: "Sign in to a registry", load: () => import("./commands/login.js") },
  { name: "logout", summary: "Forget the credentials of a registry", load: () => import("./commands/logout.js") },
  { name: "config", summary: "Show every setting and where it came from", load: () => import("./commands/config.js") },
  { name: "doctor", summary: "Check what a build and a push need", load: () => import("./commands/doctor.js") },
  { name: "completion", summary: "Print a shell completion script", load: () => import("./commands/completion.js") },
];

/** Runs the command line and sets `process.exitCode`; never throws. `args` excludes node and the script. */
export async function main(args: readonly string[]): Promise<void> {
  const output = createOutput({ args, env: process.env, stdout: process.stdout, stderr: process.stderr });
  const controller = listenForInterrupts();
  try {
    const program = await createProgram(args, (action) => async (...given) => {
      const context = createContext(program, output, controller.signal);
      const result = await action(context, ...given);
      process.exitCode = finish(output, result);
    });
    await program.parseAsync(bareJson(args), { from: "user" });
  } catch (error) {
    process.exitCode = await report(error, output, controller.signal);
  }
}

/** `--json` alone must not swallow the word after it. */
function bareJson(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, index) => (arg === "--json" && (end < 0 || index < end) ? "--json=document" : arg));
}

/** The commander program. With `args` that name a command only that one is loaded; `load: "all"` is for completion. */
export async function createProgram(
  args: readonly string[],
  run: Run,
  options: { load?: "all" } = {},
): Promise<Command> {
  const program = new Command("modelship")
    .description("From a trained model to a running, shippable service.")
    .version(await version(), "-V, --version", "Print the version")
    .helpOption("-h, --help", "Show help")
    .helpCommand(false)
    .addOption(new Option("--json [format]", "Print one JSON document on stdout (or `events`: one JSON line an event)"))
    .option("-q, --quiet", "Say nothing but results and errors")
    .option("--no-color", "No colours (NO_COLOR does the same)")
    .option("--debug", "Show stacks and requests when something fails")
    .option("-C, --project <dir>", "The project's folder (default: the nearest with a modelship.yaml)")
    .option("-H, --host <address>", "The engine's address, as in DOCKER_HOST")
    .option("--context <name>", "The Docker context to use")
    .showSuggestionAfterError(true)
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  for (const entry of commands) {
    const command = program.command(entry.name).description(entry.summary).exitOverride();
    command.configureOutput({ writeErr: () => {} });
    if (options.load === "all" || args.includes(entry.name)) (await entry.load()).default(command, run);
  }
  program.action(() => program.help());
  program.addHelpText(
    "after",
    `
Five commands from a model to a registry:
  modelship init digits --template sklearn
  cd digits && modelship build
  modelship run
  modelship predict -i @examples/request.json
  modelship push registry.example/you/digits`,
  );
  return program;
}

function createContext(program: Command, output: Output, signal: AbortSignal): CommandContext {
  const globals = program.opts<GlobalOptions>();
  return {
    report: output.report,
    signal,
    env: process.env,
    cwd: process.cwd(),
    interactive: output.interactive,
    json: output.mode !== "text",
    quiet: output.quiet,
    stream: output.stream,
    globals,
  };
}

function finish(output: Output, result: CommandResult): number {
  output.result(result);
  return result.exitCode ?? 0;
}

async function report(error: unknown, output: Output, signal: AbortSignal): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help and --version have printed what they had to
    const { usageError } = await import("./ui/usage.js");
    return output.error(usageError(error));
  }
  if (signal.aborted && !(error instanceof UserError && error.code !== "interrupted")) {
    return output.error(interrupted());
  }
  return output.error(error);
}

/** First Ctrl-C (or SIGTERM) cancels and cleans up; the second leaves at once. */
function listenForInterrupts(): AbortController {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return controller;
}

async function version(): Promise<string> {
  const { packageVersion } = await import("./package.js");
  return packageVersion();
}
