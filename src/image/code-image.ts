import { credentialSource } from "../docker/auth/lookup.js";
import { type BuildRequest, build as engineBuild } from "../docker/build.js";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { findImagesByLabel, type ImageFacts, inspectImage, removeImage, tagImage } from "../docker/images.js";
import { pullImage } from "../docker/pull.js";
import { isUserError, throwIfAborted, UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import type { BaseDecision } from "./base.js";
import { installSecret } from "./dockerfile.js";
import type { InstallSettings } from "./install-settings.js";
import { Label } from "./label-names.js";
import { type ImagePlan, type PlanInput, planImage } from "./plan.js";
import { type BuildOptions, type Prepared, prepareBuild } from "./prepare.js";
import { buildProgress, stepTitles } from "./progress.js";
import { secretReaders } from "./secrets.js";

export interface OpenProject {
  engine: Engine;
  prepared: Prepared;
}

/** The image of a project without its model files: what `run` starts, and what weights are grafted onto. */
export interface CodeImageBuild extends OpenProject {
  plan: ImagePlan;
  image: ImageFacts;
  /** It was there already; the engine was not asked to build. */
  cached: boolean;
  steps: { total: number; cached: number };
  /** Takes back the image and the tags that were not there before; for whoever fails with what they made of it. */
  undo: () => Promise<void>;
}

export async function openProject(options: BuildOptions): Promise<OpenProject> {
  const [engine, prepared] = await Promise.all([connectEngine(options), prepareBuild(options)]);
  return { engine, prepared };
}

/** A tag of its own: what `build` tags for people holds its model files, and must go on doing so. */
export function codeTag(project: Project, platform?: string): string {
  const tag = `${project.config.name}:code`;
  return platform === undefined ? tag : `${tag}-${platform.replaceAll("/", "-")}`;
}

/**
 * Finds the project's code image by its content key, or has the engine build it; tagged `<name>:code` unless told
 * otherwise. Throws UserError; leaves no tag, container or file behind when it fails or is interrupted.
 */
export async function codeImage(
  options: BuildOptions,
  opened?: OpenProject,
  wanted?: readonly string[],
): Promise<CodeImageBuild> {
  const { report, signal } = options;
  const { engine, prepared } = opened ?? (await openProject(options));
  const tags = wanted ?? [codeTag(prepared.project)];
  const base = await ensureImages(engine, prepared.decision, options);
  const plan = planImage({ ...prepared.input, base });
  throwIfAborted(signal);

  const before = await tagged(engine, tags);
  const existing = options.noCache || options.pull ? undefined : await findByKey(engine, plan.key);
  if (existing) {
    for (const tag of tags) await tagImage(engine, existing.id, tag);
    warnOfPython(prepared.project, existing.env, report);
    const undo = () => restoreTags(engine, before);
    return { engine, prepared, plan, image: existing, cached: true, steps: { total: 0, cached: 0 }, undo };
  }

  const { settings } = prepared;
  if (prepared.input.platform === undefined) tellOfOthers(prepared.project, report);
  for (const message of settings.notes) report({ type: "note", message });
  for (const warning of settings.warnings) report({ type: "warning", ...warning });
  report({ type: "note", message: `Base image ${plan.base.reference}: ${plan.base.reason}` });
  for (const message of plan.base.notes) report({ type: "note", message });
  const titleOf = stepTitles(plan.stages);
  const request = { ...buildRequest({ ...plan, tags }, settings, options), titleOf };
  const wasThere = await imagesByKey(engine, plan.key);
  const outcome = await engineBuild(engine, request, buildProgress(titleOf, report), signal);
  const image = await inspectImage(engine, outcome.id);
  if (!image) throw new UserError("build_failed", "The engine built an image and then did not have it.");
  warnOfPython(prepared.project, image.env, report);
  const steps = { total: outcome.steps, cached: outcome.cachedSteps };
  const undo = async () => {
    await restoreTags(engine, before);
    if (!wasThere.has(image.id)) await removeImage(engine, image.id).catch(() => false);
  };
  return { engine, prepared, plan, image, cached: false, steps, undo };
}

function tellOfOthers({ config }: Project, report: Reporter): void {
  const { platforms } = config.image;
  if (platforms.length < 2) return;
  const message = `Building for the engine's own platform; push makes the image for ${platforms.join(" and ")}.`;
  report({ type: "note", message });
}

/** An image that carries this content key. */
export async function findByKey(engine: Engine, key: string): Promise<ImageFacts | undefined> {
  const [listed] = await findImagesByLabel(engine, { [Label.key]: key });
  return listed && inspectImage(engine, listed.id);
}

async function imagesByKey(engine: Engine, key: string): Promise<Set<string>> {
  return new Set((await findImagesByLabel(engine, { [Label.key]: key })).map((image) => image.id));
}

/** Which image each tag names now. */
export async function tagged(
  engine: Engine,
  tags: readonly string[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const ids = await Promise.all(
    tags.map(async (tag) => [tag, (await inspectImage(engine, tag))?.id] as const),
  );
  return new Map(ids);
}

/** Lets tags name what they named; for clearing up, so an engine that has gone is no further error. */
export async function restoreTags(
  engine: Engine,
  before: ReadonlyMap<string, string | undefined>,
): Promise<void> {
  for (const [tag, id] of before) {
    await (id === undefined ? removeImage(engine, tag) : tagImage(engine, id, tag)).catch(() => {});
  }
}

/** The base, and the other images that the build starts from, which are part of the key as well. */
async function ensureImages(
  engine: Engine,
  { reference, builder, python }: BaseDecision,
  options: BuildOptions,
): Promise<PlanInput["base"]> {
  const base = await ensureBase(engine, reference, options);
  const others: string[] = [];
  for (const other of [builder, python])
    if (other !== undefined) others.push((await ensureBase(engine, other, options)).id);
  return others.length > 0 ? { ...base, others } : base;
}

/** Has the base image on the engine, so that its identity is part of the key and its digest is a label. */
async function ensureBase(engine: Engine, reference: string, options: BuildOptions) {
  const { platform, report, signal } = options;
  const present = options.pull ? undefined : await inspectImage(engine, reference);
  const fits = present && (platform === undefined || present.platform.startsWith(platform));
  const credentials = credentialSource(options.env);
  const image = fits
    ? present
    : await pullImage(engine, reference, { platform, credentials, report, signal }).catch(offerAnotherBase);
  return identityOf(image);
}

function identityOf(image: ImageFacts) {
  const digest = image.repoDigests.map((name) => name.split("@")[1]).find((found) => found !== undefined);
  return { id: image.id, digest };
}

function offerAnotherBase(error: unknown): never {
  if (!isUserError(error) || error.code !== "pull_failed") throw error;
  const { code, message, why, excerpt, cause } = error;
  const other = "Or name a base image that the engine has, with --base or `image.base`.";
  throw new UserError(code, message, {
    why,
    excerpt,
    cause,
    hint: error.hint ? `${error.hint} ${other}` : other,
  });
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
  const { runtime, python: wanted } = project.config;
  if (runtime !== "python" || !version || version === wanted || version.startsWith(`${wanted}.`)) return;
  report({
    type: "warning",
    message: `The base image has Python ${version}; modelship.yaml says ${wanted}.`,
    hint: `Set python: "${version.split(".").slice(0, 2).join(".")}" in modelship.yaml, or choose another base.`,
  });
}
