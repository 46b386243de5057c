import { UserError } from "../../errors.js";
import { type Descriptor, isDigest } from "../../registry/manifest.js";
import { familyOf, familyTypes, ociLayerType } from "../graft/family.js";
import type { ConfigDocument, ImageManifest, LayerDescriptor } from "../graft/model.js";

type Fields = Readonly<Record<string, unknown>>;

/** No engine unpacks more layers than this. */
const mostLayers = 512;

/** A document that calls itself an index rather than an image. */
export function isIndex(document: Fields): boolean {
  return Array.isArray(document.manifests);
}

/** What an image manifest must be to be worked with; unknown fields stay. */
export function imageManifest(document: Fields, mediaType?: string): ImageManifest {
  const { layers, config } = document;
  const type = document.mediaType ?? mediaType ?? familyTypes.oci.manifest;
  if (
    document.schemaVersion !== 2 ||
    typeof type !== "string" ||
    !isDescriptor(config) ||
    !Array.isArray(layers) ||
    layers.length > mostLayers ||
    !layers.every(isDescriptor)
  )
    throw unreadable("Its manifest is none that images have.");
  return oneFamily({ ...document, schemaVersion: 2, mediaType: type, config, layers });
}

/** What a configuration must be to be worked with, and to go with that manifest. */
export function imageConfig(document: Fields | undefined, layers: number): ConfigDocument {
  const rootfs = document?.rootfs as { diff_ids?: unknown } | null | undefined;
  const ids = rootfs?.diff_ids;
  if (
    typeof document?.architecture !== "string" ||
    typeof document.os !== "string" ||
    !Array.isArray(ids) ||
    !ids.every((id) => typeof id === "string" && isDigest(id))
  )
    throw unreadable("Its configuration is none that images have.");
  if (ids.length !== layers)
    throw unreadable(`Its configuration has ${ids.length} layers, its manifest ${layers}.`);
  return document as unknown as ConfigDocument;
}

/** The digest of an index's image for a platform (`linux/arm64/v8`), among those that are `there`. */
export function chooseImage(index: Fields, platform: string, there: (digest: string) => boolean): string {
  const entries = (index.manifests as readonly unknown[]).filter(isDescriptor);
  const images = entries.filter((entry) => !isAttestation(entry) && there(entry.digest));
  const [os, architecture, variant] = platform.split("/");
  const ours = images.filter(({ platform: its }) => its?.os === os && its?.architecture === architecture);
  const exact = ours.find(({ platform: its }) => its?.variant === variant);
  // A list of names may name one image several times, without saying what it is for.
  const only = new Set(images.map(({ digest }) => digest)).size === 1 ? images[0] : undefined;
  const chosen = exact ?? ours[0] ?? only;
  if (chosen === undefined) throw unreadable(`Its index has no image for ${platform}.`);
  return chosen.digest;
}

interface IndexEntry extends LayerDescriptor {
  platform?: { os?: unknown; architecture?: unknown; variant?: unknown };
}

/** BuildKit puts what it knows of a build beside the image, as an image of its own. */
function isAttestation({ annotations }: IndexEntry): boolean {
  return annotations?.["vnd.docker.reference.type"] !== undefined;
}

function isDescriptor(value: unknown): value is IndexEntry {
  const { digest, size, mediaType } = (value ?? {}) as Partial<Descriptor>;
  return (
    typeof digest === "string" &&
    isDigest(digest) &&
    typeof size === "number" &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    typeof mediaType === "string"
  );
}

/** The classic builder on the containerd store puts layers of Docker's types into OCI manifests. */
function oneFamily(manifest: ImageManifest): ImageManifest {
  const { config, layers } = manifest;
  const types = [manifest.mediaType, config.mediaType, ...layers.map((layer) => layer.mediaType)];
  if (familyOf(types) === "docker") return manifest;
  return {
    ...manifest,
    mediaType: familyTypes.oci.manifest,
    config: { ...config, mediaType: ociConfigType(config.mediaType) },
    layers: layers.map((layer) => ({ ...layer, mediaType: ociLayerType(layer.mediaType) })),
  };
}

function ociConfigType(type: string): string {
  return type === familyTypes.docker.config ? familyTypes.oci.config : type;
}

export function unreadable(why: string): UserError {
  return new UserError("failed", "The image cannot be read.", {
    why,
    hint: "Build or push it again; if that does not help, the log of whoever keeps it may say more.",
  });
}
