import { posix } from "node:path";
import { UserError } from "../../errors.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { Label } from "../label-names.js";
import { type Family, familyOf, familyTypes, ociLayerType } from "./family.js";
import type { ImageManifest, LayerDescriptor, WeightFile, WeightLayer } from "./model.js";

export interface GraftedManifest {
  mediaType: string;
  body: Buffer;
  /** `sha256:<hex>` of the body. */
  digest: string;
  config: Descriptor;
}

/** Annotations of a weight layer: what is in it, for whoever only has the manifest. */
export const Annotation = {
  title: "org.opencontainers.image.title",
  /** ModelPack's: where the file is, or the folder of several. */
  path: "org.cncf.model.filepath",
  /** JSON: `[{"path", "size", "digest"}]`, as many as there is room for; of a file alone the layer's digest tells. */
  files: "dev.modelship.weights.files",
  /** How many files the layer holds. */
  count: "dev.modelship.weights.count",
} as const;

/** What registries must take at least, and many take no more. */
const largestManifest = 4 * 1024 * 1024;
/** Forty layers of this size stay well below it. */
const largestFileList = 64 * 1024;

/** The manifest of an image that has gained weight layers, in its own family; a mixed one becomes all OCI. */
export function graftManifest(
  manifest: ImageManifest,
  config: Buffer,
  weights: readonly WeightLayer[],
): GraftedManifest {
  const family = familyOf([manifest.mediaType, manifest.config.mediaType, ...manifest.layers.map(typeOf)]);
  const types = familyTypes[family];
  const grafted: ImageManifest = {
    ...manifest,
    mediaType: types.manifest,
    config: { ...manifest.config, mediaType: types.config, size: config.length, digest: digestOf(config) },
    layers: [
      ...manifest.layers.map((layer) => inFamily(layer, family)),
      ...weights.map((layer) => weightDescriptor(layer, family)),
    ],
    // Docker's schema has no annotations; there the history says what the layers are.
    ...(family === "oci" && { annotations: { ...manifest.annotations, [Label.weights]: "baked" } }),
  };
  const body = Buffer.from(JSON.stringify(grafted));
  refuseTooLarge(body, "manifest");
  return { mediaType: types.manifest, body, digest: digestOf(body), config: grafted.config };
}

export function refuseTooLarge(body: Buffer, what: "manifest" | "index"): void {
  if (body.length <= largestManifest) return;
  throw new UserError("failed", `The image's ${what} is larger than registries take.`, {
    why: `It has ${body.length} bytes; ${largestManifest} is the limit.`,
  });
}

function typeOf(descriptor: Descriptor): string {
  return descriptor.mediaType;
}

function inFamily(layer: LayerDescriptor, family: Family): LayerDescriptor {
  return family === "oci" ? { ...layer, mediaType: ociLayerType(layer.mediaType) } : layer;
}

function weightDescriptor(layer: WeightLayer, family: Family): LayerDescriptor {
  const { digest, size } = layer;
  const descriptor = { mediaType: familyTypes[family].layer, size, digest };
  return family === "oci" ? { ...descriptor, annotations: fileAnnotations(layer.files) } : descriptor;
}

/** What a weight layer holds, for whoever only has the manifest. */
export function fileAnnotations(files: readonly WeightFile[]): Record<string, string> {
  const [first] = files;
  if (!first) return {};
  const name = posix.basename(first.path);
  return {
    [Annotation.title]: files.length === 1 ? name : `${name} and ${files.length - 1} more`,
    [Annotation.path]: files.length === 1 ? first.path : commonFolder(files),
    [Annotation.files]: boundedList(files),
    [Annotation.count]: String(files.length),
  };
}

function commonFolder(files: readonly WeightFile[]): string {
  const [first = [], ...others] = files.map((file) => posix.dirname(file.path).split("/"));
  const differs = first.findIndex((part, at) => others.some((parts) => parts[at] !== part));
  return (differs < 0 ? first : first.slice(0, differs)).join("/") || "/";
}

function boundedList(files: readonly WeightFile[]): string {
  const items: string[] = [];
  let length = 2;
  for (const { path, size, digest } of files) {
    const item = JSON.stringify({ path, size, digest });
    length += Buffer.byteLength(item) + 1;
    if (length > largestFileList) break;
    items.push(item);
  }
  return `[${items.join(",")}]`;
}
