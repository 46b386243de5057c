import { resolve } from "node:path";
import { credentialSource } from "../docker/auth/lookup.js";
import { type BuildRequest, build as engineBuild } from "../docker/build.js";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { findImagesByLabel, inspectImage, pullImage, tagImage } from "../docker/images.js";
import { throwIfAborted, UserError } from "../errors.js";
import type { FlagValues } from "../project/config.js";
import { readRevision } from "../project/git.js";
import { loadProject, type Project } from "../project/load.js";
import { parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { openDigests } from "../weights/digests.js";
import { chooseBase } from "./base.js";
import { buildContext, type ModelFiles, readProjectContent } from "./context.js";
import { installSecret } from "./dockerfile.js";
import { type InstallSettings, readInstallSettings } from "./install-settings.js";
import { Label } from "./label-names.js";
import { type ImagePlan, type PlanInput, planImage } from "./plan.js";
import { buildProgress } from "./progress.js";
import { readRequirements } from "./requirements.js";
import { type SecretSpec, secretReaders } from "./secrets.js";

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

export interface BuildResult {
  project: Project;
  model: ModelFiles;
  /** `sha256:<hex>`: config digest or manifest digest, as the engine's store names images. */
  id: string;
  tags: readonly string[];
  /** Bytes, as the engine counts them. */
  size: number;
  key: string;
  /** An image with this key was there already; the engine was not asked to build. */
  cached: boolean;
  seconds: number;
  steps: { total: number; cached: number };
}

/** Reads the project and plans its image without an engine: what `--dry-run` and `--print-dockerfile` show. */
export async function planBuild(options: BuildOptions): Promise<ImagePlan> {
  const prepared = await prepare(options);
  return planImage({ ...prepared.input, base: {} });
}

/**
 * Brings the image of a project up to date. When an image with the same content key is there it is only tagged.
 * Throws UserError; leaves no tag, container or file behind when it fails or is interrupted.
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  const { report, signal } = options;
  const [engine, prepared] = await Promise.all([
    connectEngine({ host: options.host, context: options.context, env: options.env, signal }),
    prepare(options),
  ]);
  const { project, settings, content } = prepared;
  const base = await ensureBase(engine, prepared.baseReference, options);
  const plan = planImage({ ...prepared.input, base });
  throwIfAborted(signal);

  const finish = async (id: string, cached: boolean, steps: { total: number; cached: number }) => {
    const image = await inspectImage(engine, id);
    if (!image) throw new UserError("build_failed", "The engine built an image and then did not have it.");
    warnOfPython(project, image.env, report);
    const seconds = (performance.now() - started) / 1000;
    const { tags, key } = plan;
    return {
      project,
      model: content.model,
      id: image.id,
      tags,
      size: image.size,
      key,
      cached,
      seconds,
      steps,
    };
  };

  if (!options.noCache && !options.pull) {
    const [existing] = await findImagesByLabel(engine, { [Label.key]: plan.key });
    if (existing) {
      for (const tag of plan.tags) await tagImage(engine, existing.id, tag);
      return finish(existing.id, true, { total: 0, cached: 0 });
    }
  }

  for (const message of settings.notes) report({ type: "note", message });
  for (const warning of settings.warnings) report({ type: "warning", ...warning });
  report({ type: "note", message: `Base image ${plan.base.reference}: ${plan.base.reason}` });
  const request = buildRequest(plan, settings, options);
  const outcome = await engineBuild(engine, request, buildProgress(plan.stages, report), signal);
  return finish(outcome.id, false, { total: outcome.steps, cached: outcome.cachedSteps });
}

interface Prepared {
  project: Project;
  content: PlanInput["content"];
  settings: InstallSettings;
  baseReference: string;
  input: Omit<PlanInput, "base">;
}

/** Everything that can be wrong with the project is found here, before the engine is asked for anything. */
async function prepare(options: BuildOptions): Promise<Prepared> {
  const { env } = options;
  const project = await loadProject({ cwd: options.cwd, dir: options.dir, env, flags: flagValues(options) });
  const { config } = project;
  for (const tag of options.tags ?? []) parseReference(tag);
  const base = chooseBase(config);
  parseReference(base.reference);
  const bake = options.bake ?? true;
  const [content, requirements, revision, settings] = await Promise.all([
    readProjectContent(project),
    readRequirements(project.root, config.requirements, project.origins.requirements ?? { from: "file" }),
    readRevision(project.root),
    readInstallSettings({
      root: project.root,
      env,
      caCerts: config.image.ca_certs,
      indexUrl: options.indexUrl,
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
    bake,
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
      bake,
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

/** Has the base image on the engine, so that its identity is part of the key and its digest is a label. */
async function ensureBase(engine: Engine, reference: string, options: BuildOptions) {
  const present = options.pull ? undefined : await inspectImage(engine, reference);
  const fits = present && (!options.platform || present.platform.startsWith(options.platform));
  if (!fits) {
    await pullImage(
      engine,
      reference,
      options.platform,
      credentialSource(options.env),
      options.report,
      options.signal,
    );
  }
  const image = fits ? present : await inspectImage(engine, reference);
  const digest = image?.repoDigests.map((name) => name.split("@")[1]).find((found) => found !== undefined);
  return { id: image?.id, digest };
}

function buildRequest(plan: ImagePlan, settings: InstallSettings, options: BuildOptions): BuildRequest {
  const own: BuildRequest["secrets"] = [
    ...(settings.exports
      ? [{ id: installSecret.settings, read: async () => settings.exports as Buffer }]
      : []),
    ...(settings.ca ? [{ id: installSecret.ca, read: async () => settings.ca as Buffer }] : []),
  ];
  return {
    dockerfile: plan.dockerfile,
    files: plan.context,
    tags: plan.tags,
    labels: plan.labels,
    buildArgs: plan.buildArgs,
    secrets: [...own, ...secretReaders(options.secrets ?? [], options.cwd, options.env)],
    ...(plan.platform !== undefined && { platform: plan.platform }),
    ...(options.network !== undefined && { network: options.network }),
    noCache: options.noCache ?? false,
    pull: false, // the base was fetched above, with progress and credentials
    credentials: credentialSource(options.env),
  };
}

/** Official Python images say their version; a base of the user's own may have another than the project file. */
function warnOfPython(
  project: Project,
  environment: Readonly<Record<string, string>>,
  report: Reporter,
): void {
  const version = environment.PYTHON_VERSION;
  const wanted = project.config.python;
  if (!version || version === wanted || version.startsWith(`${wanted}.`)) return;
  report({
    type: "warning",
    message: `The base image has Python ${version}; modelship.yaml says ${wanted}.`,
    hint: `Set python: "${version.split(".").slice(0, 2).join(".")}" in modelship.yaml, or choose another base.`,
  });
}
