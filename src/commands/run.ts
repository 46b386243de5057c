import { Argument, type Command, Option } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";
import { list, number, printLog } from "./values.js";

interface RunFlags {
  port?: string;
  bind: string;
  detach?: boolean;
  name?: string;
  env: string[];
  envFile: string[];
  memory?: string;
  cpus?: string;
  gpus?: string;
  allowCpu?: boolean;
  cuda?: string;
  readOnly?: boolean;
  network?: string;
  build: boolean;
  timeout?: string;
  drain: string;
}

export default function define(command: Command, run: Run): void {
  command
    .argument("[image]", "A modelship image (default: the project's, built where it is not up to date)")
    .addArgument(new Argument("[args...]", "After --: arguments for the service").default([], "none"))
    .usage("[image] [options] [-- args...]")
    .option(
      "-p, --port <port>",
      "Port on this machine; 0 for a free one (default: the service's own, or a free one)",
    )
    .option("--bind <address>", "Address to listen on; 0.0.0.0 for all", "127.0.0.1")
    .option("-d, --detach", "Leave it running and return when it is ready")
    .option("--name <name>", "Name of the service (default: the project's)")
    .addOption(
      new Option("-e, --env <name[=value]>", "Set a variable, or pass on its value here")
        .argParser(list)
        .default([], "none"),
    )
    .addOption(
      new Option("--env-file <file>", "Set the variables of a file, NAME=VALUE a line")
        .argParser(list)
        .default([], "none"),
    )
    .option("-m, --memory <size>", "Most memory it may take: 512m, 2g")
    .option("--cpus <number>", "Most CPUs it may take: 1.5")
    .option("--gpus <gpus>", "GPUs it gets: all, a number, or device=0,1")
    .option("--allow-cpu", "Let a service that is made for a GPU run on the CPU where there is none")
    .option("--cuda <cuda>", "CUDA of the image: auto, none, a version such as 12.8, base, runtime, devel")
    .option("--read-only", "Read-only root filesystem, with a /tmp in memory")
    .option("--network <name>", "Network to join; host for the machine's own")
    .option("--no-build", "Run what was built last")
    .option("--timeout <seconds>", "How long it may take to get ready (default: 120, more for a large model)")
    .option("--drain <seconds>", "How long it may take to finish its requests when it is stopped", "30")
    .action(run(action));
}

async function action(
  context: CommandContext,
  image: string | undefined,
  args: string[],
  flags: RunFlags,
  command: Command,
): Promise<CommandResult> {
  const { runService } = await import("../deploy/run.js");
  const { parseCpus, parseGpus, parseMemory, parsePort, parseSeconds } = await import("../deploy/limits.js");
  const given = operands(image, args, command);
  const service = await runService({
    image: given.image,
    command: given.extra,
    ...surroundings(context),
    build: flags.build,
    name: flags.name,
    port: number(flags.port, parsePort),
    bind: flags.bind,
    network: flags.network,
    environment: flags.env,
    environmentFiles: flags.envFile,
    memory: number(flags.memory, parseMemory),
    nanoCpus: number(flags.cpus, parseCpus),
    gpus: flags.gpus === undefined ? undefined : parseGpus(flags.gpus),
    allowCpu: flags.allowCpu ?? false,
    cuda: flags.cuda,
    readOnly: flags.readOnly ?? false,
    timeout: number(flags.timeout, (text) => parseSeconds("--timeout", text)),
    drain: parseSeconds("--drain", flags.drain),
    detach: flags.detach ?? false,
    lastResort: context.lastResort,
    onReady(ready) {
      context.stream(ready.url, result(ready).json);
      if (context.json) context.publish(result(ready));
      hint(context, ready, "Ctrl-C stops it.");
    },
    onLog: (line) => printLog(context, line, "talk"),
  });
  if (!flags.detach) return { json: result(service).json };
  hint(context, service, `\`modelship stop ${service.name}\` stops it.`);
  return result(service);
}

function result({ id, name, url, image }: { id: string; name: string; url: string; image: string }) {
  return { json: { id, name, url, image }, text: url };
}

function hint(
  context: CommandContext,
  service: { name: string; url: string; curl: string },
  how: string,
): void {
  const message = `${service.name} is ready at ${service.url}. ${how} Try it:`;
  context.report({ type: "note", message });
  context.report({ type: "note", message: `  ${service.curl}` });
}

/** commander drops the `--`, so that what follows it has to be told from an image here. */
function operands(image: string | undefined, args: readonly string[], command: Command) {
  const all = image === undefined ? [...args] : [image, ...args];
  const raw = (command.parent as { rawArgs?: string[] } | null)?.rawArgs ?? [];
  const dashes = raw.indexOf("--");
  const extra = dashes < 0 ? [] : all.slice(Math.max(0, all.length - (raw.length - dashes - 1)));
  const before = all.slice(0, all.length - extra.length);
  if (before.length > 1)
    command.error(`error: too many arguments. Expected one image but got ${before.join(" ")}.`);
  return { image: before[0], extra };
}
