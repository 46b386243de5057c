import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { familyTypes, ociLayerType } from "../graft/family.js";
import type { LayoutImage, LayoutManifest } from "./content.js";

type Document = Readonly<Record<string, unknown>>;

const { oci, docker } = familyTypes;
const ociTypes: Readonly<Record<string, string>> = {
  [docker.manifest]: oci.manifest,
  [docker.index]: oci.index,
  [docker.config]: oci.config,
};

/**
 * The same image with OCI's types throughout, its blobs untouched: tools that read layouts look for no others. One
 * that has them already stays byte for byte, and so keeps its digest.
 */
export function withOciTypes(image: LayoutImage): LayoutImage {
  const renewed = new Map<string, Descriptor>();
  const manifests = (image.manifests ?? []).map((manifest) => {
    const oci = inOci(manifest, renewed);
    const { mediaType, body } = oci;
    renewed.set(digestOf(manifest.body), { mediaType, digest: digestOf(body), size: body.length });
    return oci;
  });
  return { ...image, manifest: inOci(image.manifest, renewed), manifests };
}

function inOci(manifest: LayoutManifest, renewed: ReadonlyMap<string, Descriptor>): LayoutManifest {
  const before = JSON.parse(manifest.body.toString("utf8")) as Document;
  const mediaType = ociType(manifest.mediaType);
  const after = {
    ...before,
    ...("mediaType" in before && { mediaType }),
    ...("config" in before && { config: renamed(before.config) }),
    ...(Array.isArray(before.layers) && { layers: before.layers.map(renamed) }),
    ...(Array.isArray(before.manifests) && {
      manifests: before.manifests.map((entry: Descriptor) => ({ ...entry, ...renewed.get(entry.digest) })),
    }),
  };
  const text = JSON.stringify(after);
  return text === JSON.stringify(before)
    ? { mediaType, body: manifest.body }
    : { mediaType, body: Buffer.from(text) };
}

function renamed(descriptor: unknown): unknown {
  const { mediaType } = Object(descriptor) as { mediaType?: unknown };
  return typeof mediaType === "string"
    ? { ...Object(descriptor), mediaType: ociType(mediaType) }
    : descriptor;
}

function ociType(type: string): string {
  return ociTypes[type] ?? ociLayerType(type);
}
