import type { KeyObject } from "node:crypto";
import type { Descriptor } from "../../registry/manifest.js";
import { digestOf } from "../../registry/manifest.js";
import type { ImageManifest, LayerDescriptor } from "../graft/model.js";
import { isSignedBy, type SigningKey, signBytes } from "./key.js";

/** What is signed, in the form that cosign and others keep beside an image: "simple signing". */
export const payloadType = "application/vnd.dev.cosign.simplesigning.v1+json";
export const signatureAnnotation = "dev.cosignproject.cosign/signature";

/** The statement that is signed: this digest is what its owner means by this name. */
export function signingPayload(name: string, digest: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": name },
        image: { "docker-manifest-digest": digest },
        type: "cosign container image signature",
      },
      optional: null,
    }),
  );
}

/** The digest that a payload vouches for; `undefined` when it is no such statement. */
export function signedDigest(payload: Buffer): string | undefined {
  try {
    const { critical } = JSON.parse(payload.toString("utf8"));
    const digest: unknown = critical?.image?.["docker-manifest-digest"];
    return typeof digest === "string" && /signature$/.test(String(critical.type)) ? digest : undefined;
  } catch {
    return undefined;
  }
}

/** A signed payload as a layer. */
export function signatureLayer(key: SigningKey, payload: Buffer): LayerDescriptor {
  return {
    mediaType: payloadType,
    size: payload.length,
    digest: digestOf(payload),
    annotations: { [signatureAnnotation]: signBytes(key, payload).toString("base64") },
  };
}

/** Whether a layer's payload vouches for a digest, and is signed by a key. */
export function vouches(key: KeyObject, layer: LayerDescriptor, payload: Buffer, digest: string): boolean {
  const signature = layer.annotations?.[signatureAnnotation];
  return (
    signature !== undefined &&
    digestOf(payload) === layer.digest &&
    signedDigest(payload) === digest &&
    isSignedBy(key, payload, Buffer.from(signature, "base64"))
  );
}

export interface SignatureImage {
  config: Buffer;
  mediaType: string;
  body: Buffer;
}

/** The image that carries signatures: one layer each, in a configuration that registries take for an image's. */
export function signatureImage(layers: readonly LayerDescriptor[]): SignatureImage {
  const never = "0001-01-01T00:00:00Z";
  const config = Buffer.from(
    JSON.stringify({
      architecture: "",
      created: never,
      history: layers.map(() => ({ created: never })),
      os: "",
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
      config: {},
    }),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const described: Descriptor = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    size: config.length,
    digest: digestOf(config),
  };
  const manifest: ImageManifest = { schemaVersion: 2, mediaType, config: described, layers };
  return { config, mediaType, body: Buffer.from(JSON.stringify(manifest)) };
}
