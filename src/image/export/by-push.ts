import type { Engine } from "../../docker/client.js";
import type { ImageFacts } from "../../docker/images.js";
import { pushImage } from "../../docker/push.js";
import { isUserError, throwIfAborted, UserError } from "../../errors.js";
import { Intake } from "../../registry/intake/intake.js";
import type { Spool } from "../../registry/intake/spool.js";
import type { Reporter } from "../../reporter.js";
import type { CodeImage } from "../graft/model.js";
import { withName } from "./borrowed-name.js";
import { chooseImage, imageConfig, imageManifest, isIndex, unreadable } from "./manifest.js";

export interface PushOptions {
  spool: Spool;
  /** As the intake asks it; never asked for the image's configuration. */
  has: (digest: string, mediaType: string | undefined) => Promise<number | undefined>;
  onBlob?: (digest: string) => void;
  report: Reporter;
  signal: AbortSignal | undefined;
}

/**
 * Has the engine push an image to a registry of ours on loopback. Resolves with `undefined` where the engine never came,
 * as one on another machine or in a virtual one cannot.
 */
export async function exportByPush(
  engine: Engine,
  image: ImageFacts,
  options: PushOptions,
): Promise<CodeImage | undefined> {
  // On the classic store an image's id is its configuration's digest.
  const wanted = new Set([image.id]);
  const first = await pushOnce(engine, image, wanted, options);
  if (first === undefined || first.config) return first && complete(first);
  // The configuration stayed out because `has` knew it: images without weights are pushed as they are.
  wanted.add(first.manifest.config.digest);
  const second = await pushOnce(engine, image, wanted, options);
  return second && complete(second);
}

interface Captured {
  manifest: CodeImage["manifest"];
  config: Readonly<Record<string, unknown>> | undefined;
}

async function pushOnce(
  engine: Engine,
  image: ImageFacts,
  wanted: ReadonlySet<string>,
  options: PushOptions,
): Promise<Captured | undefined> {
  const { spool, report } = options;
  const ours = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ours.signal]) : ours.signal;
  let failure: unknown;
  const intake = await Intake.open({
    ...options,
    has: async (digest, mediaType) => (wanted.has(digest) ? undefined : options.has(digest, mediaType)),
    onFailure: (error) => {
      failure ??= error;
      ours.abort();
    },
  });
  try {
    await withName(engine, image, intake.reference, () =>
      pushImage(engine, intake.reference, intake.credential, report, signal),
    );
  } catch (error) {
    throwIfAborted(options.signal);
    if (failure !== undefined) throw failure;
    if (!isUserError(error) || !ofTheRegistry.has(error.code)) throw error;
    if (!intake.reached) return undefined; // nobody was there, or somebody else
    throw notHandedOver(error, image);
  } finally {
    await intake.close();
  }
  return captured(intake, image, spool);
}

async function captured(intake: Intake, image: ImageFacts, spool: Spool): Promise<Captured> {
  const documentOf = (digest?: string) => parsed(intake.manifest(digest)?.body);
  const top = documentOf();
  const single = isIndex(top)
    ? documentOf(chooseImage(top, image.platform, (digest) => intake.manifest(digest) !== undefined))
    : top;
  const manifest = imageManifest(single);
  return { manifest, config: await spool.document(manifest.config.digest) };
}

function complete({ manifest, config }: Captured): CodeImage {
  return { manifest, config: imageConfig(config, manifest.layers.length) };
}

function parsed(body: Buffer | undefined): Readonly<Record<string, unknown>> {
  if (body === undefined) throw unreadable("It sent no manifest.");
  try {
    return Object(JSON.parse(body.toString())) as Record<string, unknown>;
  } catch {
    throw unreadable("Its manifest is no JSON.");
  }
}

/** What a push ends with when it is the registry that failed it. */
const ofTheRegistry: ReadonlySet<string> = new Set(["push_failed", "denied", "authentication"]);

/** The place that a push goes to here is none that a user knows. */
function notHandedOver(error: UserError, image: ImageFacts): UserError {
  return new UserError(
    "push_failed",
    `The engine does not hand over the image ${image.repoTags[0] ?? image.id}.`,
    {
      why: error.why,
      hint: "The engine's own log may say more.",
      cause: error,
    },
  );
}
