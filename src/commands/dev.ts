import { type Command, Option } from "commander";
import { type CommandContext, type CommandResult, type Run, surroundings } from "./command.js";
import { list, number } from "./values.js";

interface DevFlags {
  port?: string;
  bind: string;
  env: string[];
  envFile: string[];
  python?: string;
  allowCpu?: boolean;
  reload: boolean;
}

export default function define(command: Command, run: Run): void {
  command
    .option("-p, --port <port>", "Port; 0 for a free one (default: the service's own, or a free one)")
    .option("--bind <address>", "Address to listen on; 0.0.0.0 for all", "127.0.0.1")
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
    .option(
      "--python <interpreter>",
      "Python to use: a path, a name or a version (default: the project's version)",
    )
    .option("--allow-cpu", "Compute on the CPU where there is no GPU, although the project is made for one")
    .option("--no-reload", "Do not start again when a file is saved")
    .action(run(action));
}

async function action(context: CommandContext, flags: DevFlags): Promise<CommandResult> {
  const { develop } = await import("../dev/dev.js");
  const { shownLine } = await import("../dev/log-line.js");
  const { parsePort } = await import("../deploy/limits.js");
  const { report } = context;
  const service = await develop({
    ...surroundings(context),
    port: number(flags.port, parsePort),
    bind: flags.bind,
    environment: flags.env,
    environmentFiles: flags.envFile,
    python: flags.python,
    allowCpu: flags.allowCpu ?? false,
    reload: flags.reload,
    lastResort: context.lastResort,
    onReady({ name, url, curl }) {
      context.stream(url, { name, url });
      if (context.json) context.publish({ json: { name, url } });
      const how = flags.reload ? "A save reloads it, Ctrl-C stops it." : "Ctrl-C stops it.";
      report({ type: "note", message: `${name} is ready; its playground is at ${url}. ${how} Try it:` });
      report({ type: "note", message: `  ${curl}` });
    },
    onLog(line) {
      if (context.json) return context.stream(line.line, line);
      const shown = shownLine(line);
      if (!shown) return;
      report({ type: shown.warning ? "warning" : "note", message: shown.text });
      for (const message of shown.more) report({ type: "note", message });
    },
  });
  return { json: { name: service.name, url: service.url } };
}
