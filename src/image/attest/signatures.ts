import type { KeyObject } from "node:crypto";
import { UserError } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import { bytesBlob } from "../../registry/file-blob.js";
import { isDigest } from "../../registry/manifest.js";
import { readDocument } from "../../registry/read-document.js";
import { sendBlob } from "../../registry/upload/send-blob.js";
import type { LayerDescriptor } from "../graft/model.js";
import type { SigningKey } from "./key.js";
import {
  payloadType,
  signatureAnnotation,
  signatureImage,
  signatureLayer,
  signingPayload,
  vouches,
} from "./simple-signing.js";

const largestPayload = 64 * 1024;
const mostSignatures = 100;
/** Signers of one image cannot lock its list: each looks whether its signature has stayed. */
const mostWrites = 3;

export interface PlacedSignature {
  /** The tag that keeps the signatures of this image. */
  tag: string;
  /** False: a signature with this key was there. */
  sent: boolean;
}

/** `sha256-<hex>.sig`: where cosign keeps the signatures of a digest. */
export function signatureTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}

/** Puts a signature beside those that an image has. With one of the same key there, nothing is sent. */
export async function putSignature(
  client: RegistryClient,
  repository: string,
  digest: string,
  key: SigningKey,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<PlacedSignature> {
  const tag = signatureTag(digest);
  const payload = signingPayload(`${client.registry}/${repository}`, digest);
  const layer = signatureLayer(key, payload);
  for (let writes = 0; writes <= mostWrites; writes++) {
    const layers = await readSignatures(client, repository, digest);
    if (await hasSignature(client, repository, digest, key.public, layers)) return { tag, sent: writes > 0 };
    if (writes === mostWrites) break;
    const { config, mediaType, body } = signatureImage([...layers, layer]);
    const configType = "application/vnd.oci.image.config.v1+json";
    for (const blob of [
      bytesBlob(payload, { title: "signature", mediaType: payloadType }),
      bytesBlob(config, { title: "signature", mediaType: configType }),
    ]) {
      await sendBlob(client, blob, { repository, ...options });
    }
    await client.putManifest({ repository, tag }, mediaType, body);
  }
  throw new UserError("registry_failed", `${client.registry} does not keep the signature of ${digest}.`, {
    why: "Others sign the same image at the same time, or the registry takes it and forgets it.",
    hint: "Try again.",
  });
}

/** The signatures beside a digest, whoever made them. */
export async function readSignatures(
  client: RegistryClient,
  repository: string,
  digest: string,
): Promise<LayerDescriptor[]> {
  const tag = signatureTag(digest);
  const known = await client.describe({ repository, tag });
  if (!known) return [];
  const { body } = await client.manifest({ repository, digest: known.digest });
  return readLayers(body);
}

/** Whether one of these vouches for a digest with a key. */
export async function hasSignature(
  client: RegistryClient,
  repository: string,
  digest: string,
  key: KeyObject,
  layers: readonly LayerDescriptor[],
): Promise<boolean> {
  for (const layer of layers.slice(0, mostSignatures)) {
    if (layer.mediaType !== payloadType || layer.annotations?.[signatureAnnotation] === undefined) continue;
    const payload = await readDocument(client, repository, layer, largestPayload);
    if (vouches(key, layer, payload, digest)) return true;
  }
  return false;
}

/** The layers of a manifest that anybody may have put there; what is no sound entry is passed over. */
export function readLayers(body: Buffer): LayerDescriptor[] {
  try {
    const { layers } = JSON.parse(body.toString("utf8")) as { layers?: unknown };
    return Array.isArray(layers) ? layers.filter(isLayer) : [];
  } catch {
    return [];
  }
}

function isLayer(value: unknown): value is LayerDescriptor {
  if (typeof value !== "object" || value === null) return false;
  const { mediaType, digest, size, annotations } = value as Record<string, unknown>;
  return (
    typeof mediaType === "string" &&
    typeof digest === "string" &&
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    Object.values(annotations ?? {}).every((text) => typeof text === "string")
  );
}
