import { type Descriptor, digestOf } from "../../registry/manifest.js";
import type { WeightLayer } from "../graft/model.js";

/** The same weight layers under another manifest: nothing but documents is new. */
export interface Face {
  mediaType: string;
  manifest: Buffer;
  /** `sha256:<hex>` of the manifest. */
  digest: string;
  config: SmallBlob;
  /** What else has to be in the repository; the weight layers are there. */
  blobs: readonly SmallBlob[];
}

export interface SmallBlob {
  mediaType: string;
  bytes: Buffer;
}

/** The model of an image, for those who want nothing else of it. */
export interface FaceInput {
  name: string;
  version: string;
  /** ISO 8601. */
  created?: string | undefined;
  platform: { os: string; architecture: string; variant?: string | undefined };
  /** Absolute path in the container. */
  modelFolder: string;
  layers: readonly WeightLayer[];
}

export const weightLayerType = "application/vnd.oci.image.layer.v1.tar";
export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const configType = "application/vnd.oci.image.config.v1+json";

export function describeBlob({ mediaType, bytes }: SmallBlob): Descriptor {
  return { mediaType, size: bytes.length, digest: digestOf(bytes) };
}

export function faceOf(document: object, config: SmallBlob, blobs: readonly SmallBlob[]): Face {
  const manifest = Buffer.from(JSON.stringify(document));
  return { mediaType: manifestType, manifest, digest: digestOf(manifest), config, blobs };
}
