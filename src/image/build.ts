import { inspectImage, tagImage } from "../docker/images.js";
import { throwIfAborted } from "../errors.js";
import type { Project } from "../project/load.js";
import { type CodeImageBuild, codeImage, findByKey, openProject, restoreTags, tagged } from "./code-image.js";
import type { ModelFiles } from "./context.js";
import { graftedKey, graftLabels } from "./graft/labels.js";
import { loadGrafted } from "./graft/thin-load.js";
import { readWeights } from "./known-weights.js";
import { type ImagePlan, planImage } from "./plan.js";
import { type BuildOptions, prepareBuild } from "./prepare.js";
import { defaultTags } from "./tags.js";

export interface BuildResult {
  project: Project;
  model: ModelFiles;
  /** `sha256:<hex>`: config digest or manifest digest, as the engine's store names images. */
  id: string;
  tags: readonly string[];
  /** Bytes, as the engine counts them. */
  size: number;
  key: string;
  /** An image with this key was there already; the engine was not asked for anything. */
  cached: boolean;
  seconds: number;
  steps: { total: number; cached: number };
}

/** What a build will do, without an engine: what `--dry-run` and `--print-dockerfile` show. */
export async function planBuild(options: BuildOptions): Promise<ImagePlan> {
  const { input } = await prepareBuild(options);
  const plan = planImage({ ...input, base: {} });
  return options.bake === false ? { ...plan, weights: [] } : plan;
}

/**
 * Brings the image of a project up to date: its code image, and onto that the weight layers. An image with the same
 * content key that is there is only tagged. Throws UserError; leaves no tag, image, container or file behind when it
 * fails or is interrupted.
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  const opened = await openProject(options);
  const { project, content, input } = opened.prepared;
  const tags = input.tags.length > 0 ? input.tags : defaultTags(project.config, input.revision);
  const finished = (
    code: CodeImageBuild,
    image: { id: string; size: number },
    key: string,
    cached: boolean,
  ) => ({
    project,
    model: content.model,
    id: image.id,
    tags,
    size: image.size,
    key,
    cached,
    seconds: (performance.now() - started) / 1000,
    steps: code.steps,
  });
  if (options.bake === false) {
    const code = await codeImage(options, opened, tags);
    return finished(code, code.image, code.plan.key, code.cached);
  }

  // The weights are read while the engine builds.
  const reading = readWeights(content.model, options);
  reading.catch(() => {});
  const code = await codeImage(options, opened);
  const before = await tagged(code.engine, tags);
  try {
    const layers = await reading;
    throwIfAborted(options.signal);
    const key = graftedKey(
      code.plan.key,
      layers.map(({ digest }) => digest),
    );
    const existing = options.noCache || options.pull ? undefined : await findByKey(code.engine, key);
    if (existing) {
      for (const tag of tags) await tagImage(code.engine, existing.id, tag);
      return finished(code, existing, key, true);
    }
    const { report, signal } = options;
    const labels = graftLabels(code.plan.key, layers);
    const id = await loadGrafted(code.engine, code.image, layers, { labels, tags, report, signal });
    const image = (await inspectImage(code.engine, id)) ?? { id, size: 0 };
    return finished(code, image, key, false);
  } catch (error) {
    await restoreTags(code.engine, before);
    await code.undo();
    throw error;
  }
}
