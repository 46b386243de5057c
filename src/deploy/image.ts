import { stat } from "node:fs/promises";
import { dirname, posix, relative } from "node:path";
import { credentialSource } from "../docker/auth/lookup.js";
import type { Engine } from "../docker/client.js";
import { inspectImage } from "../docker/images.js";
import { pullImage } from "../docker/pull.js";
import { UserError } from "../errors.js";
import { buildImage } from "../image/build.js";
import { codeImage, codeTag } from "../image/code-image.js";
import { appFolder, type ModelFiles, readProjectContent } from "../image/context.js";
import { Label } from "../image/label-names.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import type { SampleFile } from "./start.js";

/** An image that can become a service. */
export interface ServiceImage {
  id: string;
  /** The name that people know it by. */
  name: string;
  labels: Readonly<Record<string, string>>;
  /** Bytes. */
  size: number;
  /** `sha256:...` of the manifest in its registry, where the engine knows it. */
  digest?: string | undefined;
}

/** Model files of this machine, for an image that does not hold them. */
export interface Weights {
  source: string;
  target: string;
  /** Sum of the sizes in bytes. */
  bytes: number;
  sample: SampleFile | undefined;
  /** Whether the service's user, who is nobody on this machine, may read them. */
  readable: boolean;
}

export interface ImageOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  host?: string | undefined;
  context?: string | undefined;
  /** Network that the service will join. */
  network?: string | undefined;
  /** `--cuda`, for an image that has to be built. */
  cuda?: string | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** The image of a name, pulled where the engine does not have it. */
export async function namedImage(
  engine: Engine,
  reference: string,
  options: ImageOptions,
): Promise<ServiceImage> {
  const { report, signal, env } = options;
  const image =
    (await inspectImage(engine, reference)) ??
    (await pullImage(engine, reference, { credentials: credentialSource(env), report, signal }));
  // Podman gives an image a digest of its own, which is not what was pushed.
  const known = engine.info.kind === "podman" ? [reference] : [reference, ...image.repoDigests];
  const digest = known.find((name) => name.includes("@sha256:"))?.split("@")[1];
  const found = { id: image.id, name: reference, labels: image.labels, size: image.size, digest };
  checkOurs(found);
  if (found.labels[Label.weights] === "mounted")
    throw new UserError("model_files", `${reference} does not hold its model files.`, {
      why: "It was made for running inside its project, where they are mounted.",
      hint: "Use `modelship run` in the project's folder, or an image that `modelship build` made.",
    });
  return found;
}

/** The project's image: its code image, to which the weights are mounted, or one that holds them; or with `build: false` as it was built last. */
export async function projectImage(
  engine: Engine,
  project: Project,
  how: { build: boolean; bake: boolean },
  options: ImageOptions,
): Promise<ServiceImage> {
  if (!how.build) return builtImage(engine, project);
  const { cwd, env, host, context, cuda, report, signal } = options;
  // An engine that runs the service on its own network, for lack of a bridge, builds there too.
  const network = options.network === "host" ? "host" : undefined;
  const wanted = { cwd, env, host, context, cuda, report, signal, network, dir: project.root };
  if (!how.bake) {
    const { image } = await codeImage(wanted);
    return { id: image.id, name: codeTag(project), labels: image.labels, size: image.size };
  }
  const built = await buildImage(wanted);
  const image = await inspectImage(engine, built.id);
  return {
    id: built.id,
    name: built.tags[0] ?? built.id,
    labels: image?.labels ?? {},
    size: built.size,
  };
}

async function builtImage(engine: Engine, project: Project): Promise<ServiceImage> {
  const { config } = project;
  for (const name of [codeTag(project), `${config.image.repository ?? config.name}:${config.version}`]) {
    const image = await inspectImage(engine, name);
    if (!image) continue;
    const found = { id: image.id, name, labels: image.labels, size: image.size };
    checkOurs(found);
    return found;
  }
  throw new UserError("image_not_found", `${config.name} ${config.version} has not been built.`, {
    hint: "Build it with `modelship build`, or leave --no-build out.",
  });
}

/** The project's model files as a container would see them. */
export async function projectWeights(project: Project): Promise<Weights> {
  const { model } = await readProjectContent(project);
  const [first] = model.files;
  return {
    source: model.hostPath,
    target: model.containerPath,
    bytes: model.bytes,
    sample: first && { path: posix.join(appFolder, first.path), size: first.size },
    readable: await othersCanRead(model),
  };
}

/** Where permissions of this machine hold in a container: files for others to read, folders for others to enter. */
async function othersCanRead(model: ModelFiles): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const files = new Set(model.files.map(({ file }) => file));
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); isWithin(model.hostPath, folder); folder = dirname(folder)) {
      folders.add(folder);
    }
  }
  const allow = async (path: string, bits: number) => ((await stat(path)).mode & bits) === bits;
  const checks = [
    ...[...files].map((file) => allow(file, 0o004)),
    ...[...folders].map((folder) => allow(folder, 0o005)),
  ];
  return (await Promise.all(checks)).every(Boolean);
}

function isWithin(parent: string, path: string): boolean {
  const way = relative(parent, path);
  return way === "" || (!way.startsWith("..") && way !== path);
}

function checkOurs(image: ServiceImage): void {
  if (Label.name in image.labels) return;
  throw new UserError("image_not_ours", `${image.name} is not an image that modelship made.`, {
    why: `It has no label ${Label.name}.`,
    hint: "Run images that `modelship build` made; `docker run` runs any other.",
  });
}
