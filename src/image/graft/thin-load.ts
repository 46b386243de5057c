import type { Engine } from "../../docker/client.js";
import { type ImageFacts, inspectImage, removeImage, tagImage } from "../../docker/images.js";
import { loadImage } from "../../docker/load.js";
import { isUserError, throwIfAborted, UserError } from "../../errors.js";
import { digestOf } from "../../registry/manifest.js";
import { type Reporter, silent, task } from "../../reporter.js";
import { exportManifest } from "../export.js";
import { codeConfig } from "./code-config.js";
import { graftConfig } from "./config.js";
import {
  type ArchiveEntry,
  dockerArchive,
  type KnownLayer,
  ociArchive,
  packed,
  unpackedManifest,
} from "./thin-archive.js";

export interface GraftOptions {
  labels: Readonly<Record<string, string>>;
  tags: readonly string[];
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/**
 * Adds weight layers to an image of the engine by loading what is new: configuration, manifest and those layers.
 * Returns the id of the grafted image, which has the tags. Throws UserError `failed`, `disk_full`, `file_failed`,
 * `interrupted`; no tag and no image stays then that was not there.
 */
export async function loadGrafted(
  engine: Engine,
  code: ImageFacts,
  layers: readonly KnownLayer[],
  options: GraftOptions,
): Promise<string> {
  const { tags, report, signal } = options;
  const thin = await thinImage(engine, code, layers, options);
  const there = await inspectImage(engine, thin.id);
  if (!there) {
    await task(report, "graft", "Add the model files", () => load(engine, thin, signal)).catch(
      async (error: unknown) => {
        if (isUserError(error)) await removeImage(engine, thin.id).catch(() => false);
        throw error;
      },
    );
  }
  const image = await inspectImage(engine, thin.id);
  if (!image) {
    throw new UserError("failed", "The engine took the model files and then did not have the image.", {
      why: `It has no image ${thin.id}.`,
    });
  }
  for (const tag of tags) await tagImage(engine, image.id, tag);
  return image.id;
}

/** How long an engine that has all of the archive may take to say so after Ctrl-C. */
const patience = 5_000;

/**
 * An engine that has the whole archive makes the image whoever is still there: an interrupt waits for it, so that the
 * image can be removed again.
 */
async function load(engine: Engine, thin: ThinImage, signal: AbortSignal | undefined): Promise<void> {
  const archive = packed(thin.entries);
  const given = new AbortController();
  let waiting: NodeJS.Timeout | undefined;
  const stop = () => {
    if (archive.readableEnded) waiting = setTimeout(() => given.abort(), patience);
    else given.abort();
  };
  throwIfAborted(signal);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await loadImage(engine, archive, { report: silent, signal: given.signal });
    throwIfAborted(signal);
  } finally {
    clearTimeout(waiting);
    signal?.removeEventListener("abort", stop);
  }
}

interface ThinImage {
  id: string;
  entries: ArchiveEntry[];
}

/** What has to be loaded, in the form that this engine's store takes without the layers that it has. */
async function thinImage(
  engine: Engine,
  code: ImageFacts,
  layers: readonly KnownLayer[],
  { labels, signal }: GraftOptions,
): Promise<ThinImage> {
  if (engine.info.store === "containerd") {
    const exported = await exportManifest(engine, code, { report: silent, signal });
    if (!exported) throw new UserError("failed", "The engine does not tell what the code image is made of.");
    const config = graftConfig(exported.config, layers, labels);
    const { entries, digest } = ociArchive(exported.manifest, config, layers);
    return { id: digest, entries };
  }
  const document = await codeConfig(engine, code);
  const config = graftConfig(document, layers, labels);
  const id = digestOf(config);
  if (engine.info.kind !== "podman") return { id, entries: dockerArchive(config, layers) };
  return { id, entries: ociArchive(unpackedManifest(document), config, layers).entries };
}
