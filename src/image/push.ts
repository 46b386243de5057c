import { credentialSource } from "../docker/auth/lookup.js";
import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { inspectImage, removeImage, tagImage } from "../docker/images.js";
import { pushImage } from "../docker/push.js";
import { isUserError, throwIfAborted, UserError } from "../errors.js";
import type { ProjectConfig } from "../project/schema.js";
import { RegistryClient } from "../registry/client.js";
import type { Manifest } from "../registry/manifest.js";
import { formatReference, parseReference, type Reference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { buildImage } from "./build.js";
import { Label } from "./label-names.js";
import type { BuildOptions } from "./prepare.js";

export interface PushOptions
  extends Pick<BuildOptions, "cwd" | "dir" | "env" | "host" | "context" | "base" | "network"> {
  /** Where to push; without one `image.repository`. A reference without a tag gets the image's version. */
  references: readonly string[];
  /** Push this image of the engine as it is, instead of bringing the project's up to date. */
  image?: string | undefined;
  /** Speak plain HTTP to registries that are not on this machine. */
  insecure?: boolean;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface PushedReference {
  /** With its tag: `registry.example/you/digits:1.2.0`. */
  reference: string;
  /** `sha256:<hex>`, read back from the registry. */
  digest: string;
  bytesSent: number;
  bytesSkipped: number;
}

export interface PushResult {
  pushed: readonly PushedReference[];
  seconds: number;
}

/**
 * Pushes an image to every reference and reads each digest back from the registry.
 * A tag that had to be made for the push is removed again when the push fails.
 */
export async function pushProject(options: PushOptions): Promise<PushResult> {
  const started = performance.now();
  const targets = options.references.map(parseReference);
  for (const target of targets) {
    if (target.digest) {
      throw new UserError("reference", `${formatReference(target)} names a digest.`, {
        why: "A push makes the digest; it cannot be chosen.",
        hint: "Push to NAME:TAG and use the digest that is printed.",
      });
    }
  }
  const { engine, id, version, repository } = await imageToPush(options);
  const wanted = targets.length > 0 ? targets : [parseReference(repository ?? noRepository())];
  const pushed: PushedReference[] = [];
  for (const target of wanted) {
    throwIfAborted(options.signal);
    pushed.push(await pushOne(engine, id, { ...target, tag: target.tag ?? version }, options));
  }
  return { pushed, seconds: (performance.now() - started) / 1000 };
}

interface ImageToPush {
  engine: Engine;
  id: string;
  version: string;
  repository: ProjectConfig["image"]["repository"];
}

async function imageToPush(options: PushOptions): Promise<ImageToPush> {
  if (options.image === undefined) {
    const built = await buildImage(options);
    const { config } = built.project;
    const engine = await connectEngine(options);
    return { engine, id: built.id, version: config.version, repository: config.image.repository };
  }
  const engine = await connectEngine(options);
  const image = await inspectImage(engine, options.image);
  if (!image) {
    throw new UserError("image_not_found", `The engine has no image ${options.image}.`, {
      hint: "`modelship build` makes the project's image; `docker images` lists what is there.",
    });
  }
  const version = image.labels[Label.version];
  if (version === undefined) {
    throw new UserError("image_not_ours", `${options.image} was not built by modelship.`, {
      why: `It has no ${Label.version} label.`,
      hint: "Push it with the tool that built it.",
    });
  }
  return { engine, id: image.id, version, repository: null };
}

function noRepository(): never {
  throw new UserError("usage", "There is no place to push to.", {
    hint: "Name one, as in `modelship push registry.example/you/digits`, or set `image.repository` in modelship.yaml.",
  });
}

async function pushOne(
  engine: Engine,
  id: string,
  target: Reference,
  options: PushOptions,
): Promise<PushedReference> {
  const reference = formatReference(target);
  const credential = await credentialSource(options.env)(target.registry);
  const before = await inspectImage(engine, reference);
  await tagImage(engine, id, reference);
  try {
    const sent = await pushImage(engine, reference, credential, options.report, options.signal);
    const stored = await readBack(target, options);
    if (sent.digest !== undefined && sent.digest !== stored.digest) {
      throw new UserError("push_failed", `${reference} is not what was pushed.`, {
        why: `The engine pushed ${sent.digest}, the registry answers ${stored.digest}.`,
        hint: "Someone may have pushed the same tag at the same time; push again.",
      });
    }
    return { reference, digest: stored.digest, bytesSent: sent.bytesSent, bytesSkipped: sent.bytesSkipped };
  } catch (error) {
    await restoreTag(engine, reference, id, before?.id);
    throw isUserError(error) && error.code === "authentication" ? withLogin(error, target) : error;
  }
}

async function readBack(target: Reference, { env, insecure, signal }: PushOptions): Promise<Manifest> {
  const registry = new RegistryClient(target.registry, { env, insecure, signal });
  try {
    return await registry.manifest(target);
  } finally {
    registry.close();
  }
}

async function restoreTag(
  engine: Engine,
  reference: string,
  id: string,
  before: string | undefined,
): Promise<void> {
  if (before === id) return;
  await (before === undefined ? removeImage(engine, reference) : tagImage(engine, before, reference)).catch(
    () => {},
  );
}

function withLogin(error: UserError, target: Reference): UserError {
  if (error.hint) return error;
  const { code, message, why, excerpt, cause } = error;
  return new UserError(code, message, {
    why,
    excerpt,
    cause,
    hint: `Sign in with \`modelship login ${target.registry}\`.`,
  });
}
