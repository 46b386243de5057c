import { UserError } from "../../errors.js";
import { digestOf } from "../../registry/manifest.js";
import { graftConfig } from "./config.js";
import { familyOf, familyTypes } from "./family.js";
import { type GraftedManifest, graftManifest, refuseTooLarge } from "./manifest.js";
import type { CodeImage, LayerDescriptor, WeightLayer } from "./model.js";

export interface IndexEntry extends LayerDescriptor {
  platform?: { os: string; architecture: string; variant?: string; [field: string]: unknown };
}

/** An image index or a manifest list; unknown fields stay. */
export interface ImageIndex {
  schemaVersion: 2;
  mediaType: string;
  manifests: readonly IndexEntry[];
  annotations?: Readonly<Record<string, string>>;
}

export interface GraftedImage {
  manifest: GraftedManifest;
  config: Buffer;
}

export interface GraftedIndex {
  mediaType: string;
  body: Buffer;
  /** `sha256:<hex>` of the body. */
  digest: string;
  /** One a platform, in the index's order. */
  images: readonly GraftedImage[];
  /** What did not come along, a sentence each. */
  warnings: readonly string[];
}

/**
 * Every platform of an index with the same weight layers. `images` has what each entry's digest stands for;
 * an entry that is not there stays out, as does an attestation of what the index no longer holds. `labelsOf` gets the digest
 * of an entry of `index`.
 */
export function graftIndex(
  index: ImageIndex,
  images: ReadonlyMap<string, CodeImage>,
  weights: readonly WeightLayer[],
  labelsOf: (digest: string) => Readonly<Record<string, string>>,
): GraftedIndex {
  const subjects = new Set(index.manifests.map((entry) => entry.digest));
  const entries: IndexEntry[] = [];
  const grafted: GraftedImage[] = [];
  const warnings: string[] = [];
  for (const entry of index.manifests) {
    const subject = attested(entry);
    if (subject !== undefined) {
      if (!subjects.has(subject)) entries.push(entry);
      continue;
    }
    const image = images.get(entry.digest);
    if (!image) {
      warnings.push(`${nameOf(entry)} is left out of the index: its image is not known.`);
      continue;
    }
    const config = graftConfig(image.config, weights, labelsOf(entry.digest));
    const manifest = graftManifest(image.manifest, config, weights);
    grafted.push({ manifest, config });
    const { mediaType, digest, body } = manifest;
    entries.push({ ...entry, mediaType, digest, size: body.length });
  }
  if (grafted.length === 0) {
    throw new UserError("failed", "The index names no image that weights can be added to.", {
      why: warnings[0] ?? "It has no entries.",
    });
  }
  const family = familyOf([index.mediaType, ...entries.map((entry) => entry.mediaType)]);
  const { index: mediaType } = familyTypes[family];
  const body = Buffer.from(JSON.stringify({ ...index, mediaType, manifests: entries }));
  refuseTooLarge(body, "index");
  return { mediaType, body, digest: digestOf(body), images: grafted, warnings };
}

/** The digest of the image that an entry is BuildKit's attestation of. */
function attested(entry: IndexEntry): string | undefined {
  const { annotations = {} } = entry;
  if (annotations["vnd.docker.reference.type"] !== "attestation-manifest") return undefined;
  return annotations["vnd.docker.reference.digest"] ?? "";
}

function nameOf({ platform, digest }: IndexEntry): string {
  if (!platform) return digest;
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}
