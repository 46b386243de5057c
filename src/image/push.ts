import { resolve } from "node:path";
import { isUserError, throwIfAborted, UserError } from "../errors.js";
import { formatReference, parseReference, type Reference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { keepYoungGenerationSmall } from "../weights/young-generation.js";
import { attach } from "./attest/attach.js";
import type { BuildOptions } from "./prepare.js";
import { engineImageShipment } from "./push/engine-image.js";
import type { FaceKind } from "./push/face-kinds.js";
import { layoutShipment } from "./push/layout.js";
import { projectShipment } from "./push/project.js";
import type { Shipment } from "./push/shipment.js";
import { type Moved, Target } from "./push/target.js";

export interface PushOptions
  extends Pick<
    BuildOptions,
    "cwd" | "dir" | "env" | "host" | "context" | "base" | "cuda" | "network" | "platform"
  > {
  /** Where to push; without one `image.repository`. A reference without a tag gets the image's version. */
  references: readonly string[];
  /** Push this image of the engine as it is, instead of bringing the project's up to date. */
  image?: string | undefined;
  /** Push what this folder or file holds, as `build --output` wrote it; no engine is asked. */
  from?: string | undefined;
  /** What the weights are published as besides; a project's only. */
  also?: readonly FaceKind[];
  /** Puts SBOM and provenance beside a project's image. Default true. */
  attest?: boolean;
  /** Speak plain HTTP to registries that are not on this machine. */
  insecure?: boolean;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface PushedReference extends Moved {
  /** With its tag: `registry.example/you/digits:1.2.0`. */
  reference: string;
  /** `sha256:<hex>`, read back from the registry. */
  digest: string;
  /** Tags of other manifests for the same weights, and their digests. */
  also: readonly { reference: string; digest: string }[];
  /** What lies beside the image. */
  attached: readonly { artifactType: string; digest: string }[];
}

export interface PushResult {
  pushed: readonly PushedReference[];
  seconds: number;
}

/**
 * Pushes an image to every reference. A tag is put last, when everything that it names is there, and its digest is
 * read back. Throws UserError; what was sent whole before a failure is not sent again by the next push.
 */
export async function pushProject(options: PushOptions): Promise<PushResult> {
  const started = performance.now();
  keepYoungGenerationSmall();
  const targets = options.references.map(parseReference);
  for (const target of targets) refuseDigest(target);
  const shipment = await openShipment(options);
  try {
    const pushed = await pushAll(shipment, targets, options);
    return { pushed, seconds: (performance.now() - started) / 1000 };
  } finally {
    await shipment.close?.();
  }
}

function openShipment(options: PushOptions): Promise<Shipment> {
  const { image, from } = options;
  if (from !== undefined) return layoutShipment(resolve(options.cwd, from));
  if (image !== undefined) return engineImageShipment(image, options);
  return projectShipment(options, { faces: options.also ?? [], documents: options.attest ?? true });
}

async function pushAll(
  shipment: Shipment,
  targets: readonly Reference[],
  options: PushOptions,
): Promise<PushedReference[]> {
  const wanted = targets.length > 0 ? targets : [parseReference(shipment.repository ?? noRepository())];
  const pushed: PushedReference[] = [];
  for (const target of wanted) {
    throwIfAborted(options.signal);
    const reference = { ...target, tag: target.tag ?? shipment.version };
    const before = wanted.slice(0, pushed.length).filter(({ registry }) => registry === target.registry);
    const mountFrom = before.map(({ repository }) => repository);
    pushed.push(await pushOne(shipment, reference, mountFrom, options));
  }
  return pushed;
}

function refuseDigest(target: Reference): void {
  if (!target.digest) return;
  throw new UserError("reference", `${formatReference(target)} names a digest.`, {
    why: "A push makes the digest; it cannot be chosen.",
    hint: "Push to NAME:TAG and use the digest that is printed.",
  });
}

function noRepository(): never {
  throw new UserError("usage", "There is no place to push to.", {
    hint: "Name one, as in `modelship push registry.example/you/digits`, or set `image.repository` in modelship.yaml.",
  });
}

async function pushOne(
  shipment: Shipment,
  reference: Reference,
  mountFrom: readonly string[],
  options: PushOptions,
): Promise<PushedReference> {
  const target = new Target(reference, { ...options, mountFrom });
  try {
    const { manifest, faces, documents } = await shipment.ship(target);
    if ((await target.describe())?.digest !== manifest.digest) await target.tag(manifest);
    const stored = await target.readBack();
    if (stored.digest !== manifest.digest) {
      throw new UserError("push_failed", `${target.name} is not what was pushed.`, {
        why: `${manifest.digest} was pushed, the registry answers ${stored.digest}.`,
        hint: "Someone may have pushed the same tag at the same time; push again.",
      });
    }
    const { client } = target;
    const { mediaType, digest, size } = stored;
    const subject = { mediaType, digest, size };
    const attached = await attach(client, reference.repository, subject, documents, options).catch(
      (error: unknown) => notAttached(error, options),
    );
    const also = [];
    for (const { kind, face } of faces) {
      const name = { ...reference, tag: `${reference.tag}-${kind}` };
      await client.putManifest(name, face.mediaType, face.manifest);
      also.push({ reference: formatReference(name), digest: face.digest });
    }
    return {
      reference: target.name,
      digest,
      also,
      attached: attached.map(({ artifactType, digest }) => ({ artifactType, digest })),
      ...target.moved,
    };
  } catch (error) {
    throw explained(target.failure ?? error, reference);
  } finally {
    target.close();
  }
}

/** The image is there and has its tag: what would have lain beside it is no reason to call the push a failure. */
function notAttached(error: unknown, { report, signal }: PushOptions): [] {
  throwIfAborted(signal);
  if (!isUserError(error)) throw error;
  report({
    type: "warning",
    message: `The image was pushed, its SBOM and provenance were not: ${error.message}`,
    hint: "Push again later, or leave them out with --no-attest.",
  });
  return [];
}

function explained(error: unknown, { registry }: Reference): unknown {
  if (!isUserError(error) || error.code !== "authentication" || error.hint) return error;
  const { code, message, why, excerpt, cause } = error;
  const hint = `Sign in with \`modelship login ${registry}\`.`;
  return new UserError(code, message, { why, excerpt, cause, hint });
}
