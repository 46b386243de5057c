import { bytesBlob } from "../../registry/file-blob.js";
import type { CodeImageBuild } from "../code-image.js";
import { graftConfig } from "../graft/config.js";
import { graftIndex, type ImageIndex, type IndexEntry } from "../graft/index.js";
import { graftLabels } from "../graft/labels.js";
import { type GraftedManifest, graftManifest } from "../graft/manifest.js";
import type { CodeImage, WeightLayer } from "../graft/model.js";
import type { Shipped } from "./shipment.js";
import type { Target } from "./target.js";

/** A platform's code image, as the engine has it and as the registry has it. */
export interface SentCode {
  built: CodeImageBuild;
  code: CodeImage;
}

/** Sends what names the layers, up to the one manifest that the tag will name: an image, or an index of several. */
export async function assemble(
  target: Target,
  images: readonly SentCode[],
  weights: readonly WeightLayer[],
): Promise<Shipped["manifest"]> {
  const [only, ...others] = images;
  if (only && others.length === 0) {
    const config = graftConfig(only.code.config, weights, graftLabels(only.built.plan.key, weights));
    const manifest = graftManifest(only.code.manifest, config, weights);
    await sendConfig(target, config, manifest);
    return manifest;
  }
  const entries = new Map(images.map((image) => [entryOf(image), image]));
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [...entries.keys()],
  };
  const codes = new Map([...entries].map(([{ digest }, { code }]) => [digest, code]));
  const keys = new Map([...entries].map(([{ digest }, { built }]) => [digest, built.plan.key]));
  const grafted = graftIndex(index, codes, weights, (digest) => graftLabels(keys.get(digest) ?? "", weights));
  for (const { config, manifest } of grafted.images) {
    await sendConfig(target, config, manifest);
    await target.put(manifest);
  }
  return grafted;
}

async function sendConfig(target: Target, config: Buffer, manifest: GraftedManifest): Promise<void> {
  const { mediaType } = manifest.config;
  await target.send(bytesBlob(config, { title: "Configuration", mediaType }));
}

/** An entry for the index that was never pushed: the configuration's digest stands for the image. */
function entryOf({ code: { config, manifest } }: SentCode): IndexEntry {
  const { os, architecture, variant } = config;
  return {
    mediaType: manifest.mediaType,
    digest: manifest.config.digest,
    size: manifest.config.size,
    platform: { os, architecture, ...(variant !== undefined && { variant }) },
  };
}
