import { credentialSource } from "../docker/auth/lookup.js";
import { type BuildRequest, build as engineBuild } from "../docker/build.js";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { findImagesByLabel, type ImageFacts, inspectImage, tagImage } from "../docker/images.js";
import { pullImage } from "../docker/pull.js";
import { isUserError, throwIfAborted, UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import type { ModelFiles } from "./context.js";
import { installSecret } from "./dockerfile.js";
import type { InstallSettings } from "./install-settings.js";
import { Label } from "./label-names.js";
import { type ImagePlan, planImage } from "./plan.js";
import { type BuildOptions, type Prepared, prepareBuild } from "./prepare.js";
import { buildProgress, stepTitles } from "./progress.js";
import { secretReaders } from "./secrets.js";

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
  const prepared = await prepareBuild(options);
  return planImage({ ...prepared.input, base: {} });
}

/**
 * Brings the image of a project up to date. When an image with the same content key is there it is only tagged.
 * Throws UserError; leaves no tag, container or file behind when it fails or is interrupted.
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  const { report, signal } = options;
  const { engine, prepared } = await open(options);
  const base = await ensureBase(engine, prepared.baseReference, options);
  const plan = planImage({ ...prepared.input, base });
  throwIfAborted(signal);

  const existing = options.noCache || options.pull ? undefined : await findByKey(engine, plan.key);
  if (existing) {
    for (const tag of plan.tags) await tagImage(engine, existing.id, tag);
    return buildResult(prepared, plan, existing, { cached: true, started, report });
  }

  const { settings } = prepared;
  for (const message of settings.notes) report({ type: "note", message });
  for (const warning of settings.warnings) report({ type: "warning", ...warning });
  report({ type: "note", message: `Base image ${plan.base.reference}: ${plan.base.reason}` });
  const titleOf = stepTitles(plan.stages);
  const request = { ...buildRequest(plan, settings, options), titleOf };
  const outcome = await engineBuild(engine, request, buildProgress(titleOf, report), signal);
  const image = await inspectImage(engine, outcome.id);
  if (!image) throw new UserError("build_failed", "The engine built an image and then did not have it.");
  const steps = { total: outcome.steps, cached: outcome.cachedSteps };
  return buildResult(prepared, plan, image, { cached: false, steps, started, report });
}

/** The image of a project as it is now, if it was built before; nothing is pulled, built or tagged for it. */
export async function currentImage(options: BuildOptions): Promise<BuildResult | undefined> {
  const started = performance.now();
  const { engine, prepared } = await open(options);
  const base = await inspectImage(engine, prepared.baseReference);
  if (!base) return undefined;
  const plan = planImage({ ...prepared.input, base: identityOf(base) });
  const image = await findByKey(engine, plan.key);
  return image && buildResult(prepared, plan, image, { cached: true, started, report: options.report });
}

async function open(options: BuildOptions): Promise<{ engine: Engine; prepared: Prepared }> {
  const [engine, prepared] = await Promise.all([connectEngine(options), prepareBuild(options)]);
  return { engine, prepared };
}

async function findByKey(engine: Engine, key: string): Promise<ImageFacts | undefined> {
  const [listed] = await findImagesByLabel(engine, { [Label.key]: key });
  return listed && inspectImage(engine, listed.id);
}

interface Finished {
  cached: boolean;
  steps?: BuildResult["steps"];
  /** `performance.now()` when the work began. */
  started: number;
  report: Reporter;
}

function buildResult(
  { project, content }: Prepared,
  plan: ImagePlan,
  image: ImageFacts,
  how: Finished,
): BuildResult {
  warnOfPython(project, image.env, how.report);
  return {
    project,
    model: content.model,
    id: image.id,
    tags: plan.tags,
    size: image.size,
    key: plan.key,
    cached: how.cached,
    seconds: (performance.now() - how.started) / 1000,
    steps: how.steps ?? { total: 0, cached: 0 },
  };
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
  const wanted = project.config.python;
  if (!version || version === wanted || version.startsWith(`${wanted}.`)) return;
  report({
    type: "warning",
    message: `The base image has Python ${version}; modelship.yaml says ${wanted}.`,
    hint: `Set python: "${version.split(".").slice(0, 2).join(".")}" in modelship.yaml, or choose another base.`,
  });
}
