import { resolve } from "node:path";
import { UserError } from "../errors.js";
import type { FlagValues } from "../project/config.js";
import { readRevision } from "../project/git.js";
import { loadProject, type Project } from "../project/load.js";
import { projectFileName } from "../project/project-file.js";
import { parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { openDigests } from "../weights/digests.js";
import { parseCudaChoice } from "./accelerator/choice.js";
import { readCompatibility } from "./accelerator/compatibility.js";
import { type BaseDecision, decideBase } from "./base.js";
import { buildContext, readProjectContent } from "./context.js";
import { chosenIndex, type InstallSettings, readInstallSettings } from "./install-settings.js";
import { nodeBase } from "./node/base.js";
import { readNodeRequirements } from "./node/requirements.js";
import type { PlanInput } from "./plan.js";
import { type Requirements, readRequirements } from "./requirements.js";
import type { SecretSpec } from "./secrets.js";

/** What a caller may ask of a build; everything else is in modelship.yaml. */
export interface BuildOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `--project`. */
  dir?: string | undefined;
  host?: string | undefined;
  context?: string | undefined;
  /** Replace the default tags. */
  tags?: readonly string[];
  buildArgs?: Readonly<Record<string, string>>;
  secrets?: readonly SecretSpec[];
  noCache?: boolean;
  /** Fetch the base image again even if it is here. */
  pull?: boolean;
  base?: string | undefined;
  /** `--cuda`: auto, none, a version, base, runtime or devel. */
  cuda?: string | undefined;
  platform?: string | undefined;
  /** Network of the build's steps: `host`, `none`, or a name. */
  network?: string | undefined;
  caCert?: string | undefined;
  indexUrl?: string | undefined;
  /** Put the model files into the image; without them `run` mounts them. Default true. */
  bake?: boolean;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** A project that was read and found whole; only what the engine knows is missing for a plan. */
export interface Prepared {
  project: Project;
  content: PlanInput["content"];
  settings: InstallSettings;
  decision: BaseDecision;
  input: Omit<PlanInput, "base">;
}

/** Everything that can be wrong with the project is found here, before the engine is asked for anything. */
export async function prepareBuild(options: BuildOptions): Promise<Prepared> {
  const { env } = options;
  const project = await loadProject({ cwd: options.cwd, dir: options.dir, env, flags: flagValues(options) });
  const { config } = project;
  for (const tag of options.tags ?? []) parseReference(tag);
  if (config.image.base !== null) parseReference(config.image.base);
  const [content, requirements, revision, settings] = await Promise.all([
    readProjectContent(project),
    config.runtime === "node"
      ? readNodeRequirements(project)
      : readRequirements(project.root, config.requirements, project.origins.requirements ?? { from: "file" }),
    readRevision(project.root),
    readInstallSettings({
      root: project.root,
      env,
      caCerts: config.image.ca_certs,
      indexUrl: options.indexUrl,
      runtime: config.runtime,
      hostNetwork: options.network === "host",
    }),
  ]);
  const platform = onePlatform(config.image.platforms, options.platform);
  const chosen = await baseOf(project, requirements, { env, indexUrl: options.indexUrl, platform });
  const decision = { ...chosen, notes: [...chosen.notes, ...graphNotes(project, content)] };
  const digests = await openDigests(env);
  const keptCa = config.image.keep_ca_certs ? settings.ca : undefined;
  if (config.image.keep_ca_certs && !keptCa) {
    throw new UserError("project_file", "`image.keep_ca_certs` is set, but there is no CA bundle to keep.", {
      hint: "Name one with --ca-cert or `image.ca_certs`.",
    });
  }
  const context = await buildContext({
    project,
    content,
    requirementPaths: requirements.paths,
    keptCa,
    digests,
  });
  await digests.save();
  return {
    project,
    content,
    settings,
    decision,
    input: {
      project,
      decision,
      content,
      context,
      requirements: requirements.install,
      revision,
      tags: options.tags ?? [],
      buildArgs: options.buildArgs ?? {},
      secrets: (options.secrets ?? []).map((secret) => secret.id),
      platform,
      env,
      now: new Date(),
    },
  };
}

const largeGraph = 20_000_000;

/** The smallest image is soon smaller than its weights. */
function graphNotes({ config }: Project, { model }: PlanInput["content"]): string[] {
  if (config.image.profile !== "edge") return [];
  return model.files
    .filter(
      ({ path, size }) => path.endsWith(".onnx") && size > largeGraph && !/int8|quant|uint8/i.test(path),
    )
    .map(
      ({ path, size }) =>
        `${path} has ${Math.round(size / 1e6)} MB: with int8 weights about a quarter of that, if they are of 32 bits now (onnxruntime.quantization.quantize_dynamic).`,
    );
}

/** The base of a project as its files and this machine's settings have it. Throws UserError `incompatible`. */
export async function baseOf(
  project: Project,
  requirements: Requirements,
  how: { env: NodeJS.ProcessEnv; indexUrl?: string | undefined; platform: string | undefined },
): Promise<BaseDecision> {
  const { config, origins } = project;
  const { image } = config;
  const { install, required, namesIndex } = requirements;
  const origin = origins["image.base"];
  const namedBase =
    image.base === null
      ? undefined
      : { reference: image.base, namedBy: origin && "name" in origin ? origin.name : projectFileName };
  if (config.runtime === "node") {
    const { reference, reason } = namedBase
      ? { reference: namedBase.reference, reason: `named by ${namedBase.namedBy}` }
      : nodeBase(config);
    return { reference, reason, notes: [] };
  }
  const named = namesIndex ? `the index that ${config.requirements} names` : undefined;
  return decideBase({
    python: config.python,
    required,
    hashed: install.kind === "uv" || (install.kind === "pip" && install.hashed),
    accelerator: config.accelerator,
    platform: how.platform,
    cuda: parseCudaChoice(image.cuda),
    base: namedBase,
    torchIndex: image.torch_index,
    ownIndex: chosenIndex(how.env, how.indexUrl) ?? named,
    onnx: config.model.entry === "onnx",
    data: await readCompatibility(project.root, image.compatibility),
  });
}

function flagValues(options: BuildOptions): FlagValues {
  return {
    ...(options.base !== undefined && { "image.base": { flag: "--base", value: options.base } }),
    ...(options.cuda !== undefined && { "image.cuda": { flag: "--cuda", value: options.cuda } }),
    ...(options.platform !== undefined && {
      "image.platforms": { flag: "--platform", value: options.platform.split(",") },
    }),
    ...(options.caCert !== undefined && {
      "image.ca_certs": { flag: "--ca-cert", value: resolve(options.cwd, options.caCert) },
    }),
  };
}

/** Of several that the project is for, a build makes the engine's own; `undefined` stands for that. */
function onePlatform(platforms: readonly string[], asked: string | undefined): string | undefined {
  if (platforms.length <= 1) return platforms[0];
  if (asked === undefined) return undefined;
  throw new UserError("usage", `One build makes one platform, not ${platforms.join(" and ")}.`, {
    why: "An engine's tag names one image.",
    hint: `\`modelship push --platform ${platforms.join(",")}\` makes one name for all of them in a registry.`,
  });
}
