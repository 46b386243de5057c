import type { Engine } from "../../docker/client.js";
import { type ImageFacts, inspectImage, removeImage, tagImage } from "../../docker/images.js";
import { loadImage } from "../../docker/load.js";
import { isUserError, UserError } from "../../errors.js";
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
  const [first = "modelship-graft:latest"] = tags;
  const thin = await thinImage(engine, code, layers, { ...options, first });
  const there = await inspectImage(engine, thin.id);
  if (!there) {
    await task(report, "graft", "Add the model files", () =>
      loadImage(engine, packed(thin.entries), { report: silent, signal }),
    ).catch(async (error: unknown) => {
      if (isUserError(error)) await removeImage(engine, thin.id).catch(() => false);
      throw error;
    });
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

interface ThinImage {
  id: string;
  entries: ArchiveEntry[];
}

/** What has to be loaded, in the form that this engine's store takes without the layers that it has. */
async function thinImage(
  engine: Engine,
  code: ImageFacts,
  layers: readonly KnownLayer[],
  { labels, first, signal }: GraftOptions & { first: string },
): Promise<ThinImage> {
  if (engine.info.store === "containerd") {
    const exported = await exportManifest(engine, code, { report: silent, signal });
    if (!exported) throw new UserError("failed", "The engine does not tell what the code image is made of.");
    const config = graftConfig(exported.config, layers, labels);
    const { entries, digest } = ociArchive(exported.manifest, config, layers, first);
    return { id: digest, entries };
  }
  const document = await codeConfig(engine, code);
  const config = graftConfig(document, layers, labels);
  const id = digestOf(config);
  if (engine.info.kind !== "podman") return { id, entries: dockerArchive(config, layers, [first]) };
  return { id, entries: ociArchive(unpackedManifest(document), config, layers, first).entries };
}
