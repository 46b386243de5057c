import { resolve } from "node:path";
import { UserError } from "../errors.js";
import type { FlagValues } from "../project/config.js";
import { readRevision } from "../project/git.js";
import { loadProject, type Project } from "../project/load.js";
import { parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { openDigests } from "../weights/digests.js";
import { chooseBase } from "./base.js";
import { buildContext, readProjectContent } from "./context.js";
import { type InstallSettings, readInstallSettings } from "./install-settings.js";
import { readNodeRequirements } from "./node/requirements.js";
import type { PlanInput } from "./plan.js";
import { readRequirements } from "./requirements.js";
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
  baseReference: string;
  input: Omit<PlanInput, "base">;
}

/** Everything that can be wrong with the project is found here, before the engine is asked for anything. */
export async function prepareBuild(options: BuildOptions): Promise<Prepared> {
  const { env } = options;
  const project = await loadProject({ cwd: options.cwd, dir: options.dir, env, flags: flagValues(options) });
  const { config } = project;
  for (const tag of options.tags ?? []) parseReference(tag);
  const base = chooseBase(project);
  parseReference(base.reference);
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
    baseReference: base.reference,
    input: {
      project,
      content,
      context,
      requirements: requirements.install,
      revision,
      tags: options.tags ?? [],
      buildArgs: options.buildArgs ?? {},
      secrets: (options.secrets ?? []).map((secret) => secret.id),
      platform: onePlatform(config.image.platforms),
      env,
      now: new Date(),
    },
  };
}

function flagValues(options: BuildOptions): FlagValues {
  return {
    ...(options.base !== undefined && { "image.base": { flag: "--base", value: options.base } }),
    ...(options.platform !== undefined && {
      "image.platforms": { flag: "--platform", value: options.platform.split(",") },
    }),
    ...(options.caCert !== undefined && {
      "image.ca_certs": { flag: "--ca-cert", value: resolve(options.cwd, options.caCert) },
    }),
  };
}

function onePlatform(platforms: readonly string[]): string | undefined {
  if (platforms.length <= 1) return platforms[0];
  throw new UserError("usage", `One build makes one platform, not ${platforms.join(" and ")}.`, {
    why: "The engine's build endpoint takes a single platform.",
    hint: "Build once for each with `--platform` and a tag of its own.",
  });
}
