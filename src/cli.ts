import { Argument, Command, CommanderError, Option } from "commander";
import type { CommandContext, CommandResult, Define, GlobalOptions, Run } from "./commands/command.js";
import { ExitCode, interrupted, isUserError, systemCode } from "./errors.js";
import { packageVersion } from "./package.js";
import type { Output } from "./ui/output.js";

interface CommandEntry {
  name: string;
  summary: string;
  load: () => Promise<{ default: Define }>;
}

/** The whole command line, in the order of --help. Only the command that is used is loaded. */
const commands: readonly CommandEntry[] = [
  { name: "init", summary: "Start a project from a template", load: () => import("./commands/init.js") },
  {
    name: "templates",
    summary: "List what a project can start from",
    load: () => import("./commands/templates.js"),
  },
  { name: "build", summary: "Build the image", load: () => import("./commands/build.js") },
  {
    name: "dev",
    summary: "Run the service here, without an image, and reload it on save",
    load: () => import("./commands/dev.js"),
  },
  {
    name: "run",
    summary: "Start the service and wait until it is ready",
    load: () => import("./commands/run.js"),
  },
  {
    name: "predict",
    summary: "Send a request to the running service",
    load: () => import("./commands/predict.js"),
  },
  { name: "push", summary: "Push the image to a registry", load: () => import("./commands/push.js") },
  {
    name: "pull",
    summary: "Fetch an image's model files from a registry",
    load: () => import("./commands/pull.js"),
  },
  {
    name: "inspect",
    summary: "Show what an image in a registry is made of",
    load: () => import("./commands/inspect.js"),
  },
  {
    name: "sign",
    summary: "Sign an image in a registry with a key",
    load: () => import("./commands/sign.js"),
  },
  {
    name: "verify",
    summary: "Check an image in a registry against its digests, a key and this project",
    load: () => import("./commands/verify.js"),
  },
  { name: "ps", summary: "List the services that modelship started", load: () => import("./commands/ps.js") },
  { name: "logs", summary: "Show the logs of a service", load: () => import("./commands/logs.js") },
  {
    name: "stop",
    summary: "Stop services and remove their containers",
    load: () => import("./commands/stop.js"),
  },
  { name: "keys", summary: "Make, list and revoke API keys", load: () => import("./commands/keys.js") },
  { name: "login", summary: "Sign in to a registry", load: () => import("./commands/login.js") },
  {
    name: "logout",
    summary: "Forget the credentials of a registry",
    load: () => import("./commands/logout.js"),
  },
  {
    name: "config",
    summary: "Show every setting and where it came from",
    load: () => import("./commands/config.js"),
  },
  {
    name: "doctor",
    summary: "Check what a build and a push need",
    load: () => import("./commands/doctor.js"),
  },
  {
    name: "completion",
    summary: "Print a shell completion script",
    load: () => import("./commands/completion.js"),
  },
];

/** How long a finished command waits for handles that something left open. */
const graceMilliseconds = 250;
/** A second signal within this time is an echo of the first. */
const sameInterruptMilliseconds = 300;
/** How long a second Ctrl-C waits for what must still be done. */
const lastResortMilliseconds = 2000;

/** Runs the command line and sets `process.exitCode`; never throws. `args` excludes node and the script. */
export async function main(args: readonly string[]): Promise<void> {
  const controller = new AbortController();
  const talk = outputOnDemand(args);
  const pipe = watchPipes(controller);
  const lastResorts = new Set<() => Promise<void>>();
  listenForInterrupts(controller, talk, lastResorts);
  listenForDefects(talk);
  let program: Command | undefined;
  try {
    program = await createProgram(args, (action) => async (...given) => {
      const command = given.at(-1) as Command;
      const output = await talk();
      const print = once((result: CommandResult) => output.result(fullName(command), result));
      const context = createContext(command, output, controller.signal, print, lastResorts);
      const result = await action(context, ...given);
      print(result);
      process.exitCode = result.exitCode ?? ExitCode.done;
    });
    await program.parseAsync(bareJson(args), { from: "user" });
  } catch (error) {
    process.exitCode = pipe.closed ? ExitCode.done : await fail(error, program, talk, controller.signal);
  }
  await leave();
}

/** `keys-create` for `modelship keys create`. */
function fullName(command: Command): string {
  const parent = command.parent;
  return parent?.parent ? `${fullName(parent)}-${command.name()}` : command.name();
}

type Talk = () => Promise<Output>;

/** --help and --version, which have to be instant, say nothing that needs it. */
function outputOnDemand(args: readonly string[]): Talk {
  let output: Promise<Output> | undefined;
  return () => {
    output ??= import("./ui/output.js").then(({ createOutput }) => createOutput({ args, ...streams() }));
    return output;
  };
}

function streams() {
  const { env, stdin, stdout, stderr } = process;
  return { env, stdin, stdout, stderr };
}

/** `--json` alone must not swallow the word after it. */
function bareJson(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, index) => (arg === "--json" && (end < 0 || index < end) ? "--json=document" : arg));
}

/** The commander program. Of the commands only those that `args` names are loaded; `completion` needs them all. */
export async function createProgram(args: readonly string[], run: Run): Promise<Command> {
  const program = new Command("modelship")
    .description("From a trained model to a running, shippable service.")
    .usage("<command> [options]")
    .version(packageVersion(), "-V, --version", "Print the version")
    .helpOption("-h, --help", "Show help")
    .helpCommand(false)
    .addOption(
      new Option(
        "--json [format]",
        "Print one JSON document on stdout (`=events`: a JSON line for every event)",
      ).choices(["document", "events"]),
    )
    .option("-q, --quiet", "Say nothing but results and errors")
    .option("--no-color", "No colours (NO_COLOR does the same)")
    .option("--debug", "Show stacks and requests when something fails")
    .option("-C, --project <dir>", "The project's folder (default: the nearest with a modelship.yaml)")
    .option("-H, --host <address>", "The engine's address, as in DOCKER_HOST")
    .option("--context <name>", "The Docker context to use")
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  const all = args.includes("completion");
  for (const entry of commands) {
    const command = program.command(entry.name).description(entry.summary).exitOverride(tell(entry.name));
    if (all || args.includes(entry.name)) (await entry.load()).default(command, run);
  }
  program
    .command("help")
    .description("Show the help of a command")
    .addArgument(new Argument("[command]").choices(commands.map((entry) => entry.name)))
    .exitOverride(tell("help"))
    .action((name?: string) =>
      (program.commands.find((command) => command.name() === name) ?? program).help(),
    );
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

/** Notes on commander's complaint which command it is about. */
function tell(command: string): (error: CommanderError) => never {
  return (error) => {
    throw Object.assign(error, { command });
  };
}

function once<T>(work: (value: T) => void): (value: T) => void {
  let done = false;
  return (value) => {
    if (!done) work(value);
    done = true;
  };
}

function createContext(
  command: Command,
  output: Output,
  signal: AbortSignal,
  publish: CommandContext["publish"],
  lastResorts: Set<() => Promise<void>>,
): CommandContext {
  const { host, context, project } = command.optsWithGlobals<GlobalOptions>();
  return {
    report: output.report,
    signal,
    env: process.env,
    cwd: process.cwd(),
    interactive: output.interactive,
    json: output.mode !== "text",
    quiet: output.quiet,
    stream: output.stream,
    publish,
    lastResort(work) {
      lastResorts.add(work);
      return () => lastResorts.delete(work);
    },
    globals: {
      ...(host !== undefined && { host }),
      ...(context !== undefined && { context }),
      ...(project !== undefined && { project }),
    },
  };
}

async function fail(
  error: unknown,
  program: Command | undefined,
  talk: Talk,
  signal: AbortSignal,
): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return ExitCode.done; // --help and --version have printed what they had to
    if (error.code === "commander.help") {
      const { command } = error as { command?: string };
      (program?.commands.find((one) => one.name() === command) ?? program)?.outputHelp(); // it was left out
      return ExitCode.done;
    }
    const { usageError } = await import("./ui/usage.js");
    return (await talk()).error(usageError(error, (error as { command?: string }).command));
  }
  const expected = isUserError(error) && error.code !== "interrupted";
  return (await talk()).error(signal.aborted && !expected ? interrupted() : error);
}

/** The first Ctrl-C (or SIGTERM) cancels and cleans up; the second leaves at once. */
function listenForInterrupts(
  controller: AbortController,
  talk: Talk,
  lastResorts: ReadonlySet<() => Promise<void>>,
): void {
  let first = 0;
  let leaving = false;
  const onSignal = () => {
    if (controller.signal.aborted) {
      // npx and npm pass on what the terminal has sent already: that is the same Ctrl-C.
      if (performance.now() - first < sameInterruptMilliseconds) return;
      const exit = () => process.exit(ExitCode.interrupted);
      if (leaving || lastResorts.size === 0) return exit();
      leaving = true;
      void Promise.allSettled([...lastResorts].map((work) => work())).then(exit);
      setTimeout(exit, lastResortMilliseconds);
      return;
    }
    first = performance.now();
    controller.abort();
    setTimeout(async () => {
      (await talk()).report({ type: "note", message: "Stopping. Ctrl-C again leaves at once." });
    }, 1000).unref();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", onSignal);
}

/** An error that nobody awaited is a defect, told as one. */
function listenForDefects(talk: Talk): void {
  process.on("uncaughtException", async (error) => {
    process.exit((await talk()).error(error));
  });
}

/** Whoever read our output may leave (`| head`): nothing is wrong then, there is only no one left to tell. */
function watchPipes(controller: AbortController): { closed: boolean } {
  const pipe = { closed: false };
  process.stdout.on("error", (error) => {
    if (systemCode(error) !== "EPIPE") throw error;
    pipe.closed = true;
    controller.abort();
  });
  process.stderr.on("error", (error) => {
    if (systemCode(error) !== "EPIPE") throw error;
  });
  return pipe;
}

/** All is said and done: what was written gets out, and no socket that is still open keeps the user waiting. */
async function leave(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }
  setTimeout(() => process.exit(), graceMilliseconds).unref();
}
