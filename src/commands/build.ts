import { Option } from "commander";
import { UserError } from "../errors.js";
import type { OutputOptions } from "../image/output.js";
import type { BuildOptions } from "../image/prepare.js";
import { formatBytes, formatDuration } from "../ui/format.js";
import { type CommandContext, type Define, surroundings } from "./command.js";

interface Flags {
  tag?: string[];
  buildArg?: string[];
  secret?: string[];
  cache: boolean;
  pull?: boolean;
  base?: string;
  cuda?: string;
  platform?: string;
  network?: string;
  caCert?: string;
  indexUrl?: string;
  bake: boolean;
  printDockerfile?: boolean;
  dryRun?: boolean;
  output?: string;
}

const layoutKinds = ["oci-dir", "oci-tar", "docker-tar"] as const;

const collect = (value: string, all: string[] = []) => [...all, value];

const define: Define = (command, run) => {
  command
    .option(
      "-t, --tag <name:tag>",
      "Name the image (repeatable); default: name and version, and the git revision",
      collect,
    )
    .option(
      "--build-arg <KEY=VALUE>",
      "Environment of dependency installs (repeatable; not for secrets)",
      collect,
    )
    .option("--secret <id=ID,src=FILE|env=VAR>", "Secret for dependency installs (repeatable)", collect)
    .option("--no-cache", "Build every step again")
    .option("--pull", "Fetch the base image again")
    .option("--base <image>", "Base image; it must have python3 with pip and venv")
    .option("--cuda <cuda>", "CUDA of the image: auto, none, a version such as 12.8, base, runtime, devel")
    .option("--platform <os/arch>", "Platform to build for; default: the engine's own")
    .option("--network <mode>", "Network of the build's steps: host, none, or a name")
    .option("--ca-cert <file>", "PEM bundle that dependency installs trust")
    .option("--index-url <url>", "Package index to install from")
    .option("--no-bake", "Leave the model files out; `run` mounts them")
    .option("--output <kind=path>", `Write the image to a place instead: ${layoutKinds.join(", ")}`)
    .addOption(new Option("--print-dockerfile", "Print the Dockerfile and stop").conflicts("dryRun"))
    .option("--dry-run", "Print the plan and stop")
    .action(
      run(async (context, flags: Flags) => {
        const image = await import("../image/build.js");
        const options = await buildOptions(context, flags);
        if (flags.printDockerfile || flags.dryRun) {
          const plan = await image.planBuild(options);
          const { planDocument, planText } = await import("../image/plan.js");
          if (flags.printDockerfile)
            return { json: { dockerfile: plan.dockerfile }, text: plan.dockerfile.trimEnd() };
          return { json: planDocument(plan), text: planText(plan, formatBytes) };
        }
        if (flags.output !== undefined) {
          const { outputImage } = await import("../image/output.js");
          const written = await outputImage({ ...options, output: outputOf(flags.output) });
          context.report({
            type: "note",
            message: `Wrote ${written.tags.join(", ")} · ${formatBytes(written.bytesWritten)} · ${formatDuration(written.seconds)}`,
          });
          return { json: { ...written }, text: written.path };
        }
        const { id, tags, size, key, cached, seconds, steps } = await image.buildImage(options);
        const how = cached ? "nothing changed" : `${steps.cached} of ${steps.total} steps were cached`;
        context.report({
          type: "note",
          message: `Built ${tags.join(", ")} · ${formatBytes(size)} · ${formatDuration(seconds)} · ${how}`,
        });
        return { json: { id, tags, size, key, cached, seconds }, text: id };
      }),
    );
};

export default define;

function outputOf(text: string): OutputOptions["output"] {
  const at = text.indexOf("=");
  const kind = layoutKinds.find((one) => one === text.slice(0, at));
  const path = text.slice(at + 1);
  if (kind && path !== "") return { kind, path };
  throw new UserError("usage", `--output does not know "${text}".`, {
    hint: `Write it as oci-tar=digits.tar; the kinds are ${layoutKinds.join(", ")}.`,
  });
}

async function buildOptions(context: CommandContext, flags: Flags): Promise<BuildOptions> {
  const { parseSecret } = await import("../image/secrets.js");
  return {
    ...surroundings(context),
    tags: flags.tag ?? [],
    buildArgs: Object.fromEntries((flags.buildArg ?? []).map((text) => buildArg(text, context.env))),
    secrets: (flags.secret ?? []).map(parseSecret),
    noCache: !flags.cache,
    pull: flags.pull ?? false,
    bake: flags.bake,
    base: flags.base,
    cuda: flags.cuda,
    platform: flags.platform,
    network: flags.network,
    caCert: flags.caCert,
    indexUrl: flags.indexUrl,
  };
}

/** `KEY=VALUE`, or `KEY` alone for the value it has here, as Docker reads it. */
function buildArg(text: string, env: NodeJS.ProcessEnv): [string, string] {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  const value = at < 0 ? env[name] : text.slice(at + 1);
  if (!/^[A-Za-z_]\w*$/.test(name) || value === undefined) {
    throw new UserError("usage", `--build-arg ${name} must look like KEY=VALUE.`, {
      why: at < 0 ? `Without a value it takes the variable ${name}, which is not set.` : undefined,
    });
  }
  return [name, value];
}
