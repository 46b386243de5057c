import { createHash } from "node:crypto";

export interface Descriptor {
  digest: string;
  mediaType: string;
  /** Bytes. */
  size: number;
}

export interface Manifest extends Descriptor {
  body: Buffer;
}

/** Every kind of manifest that images and indexes come as. */
export const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
] as const;

/** The digest of some bytes: `sha256:...`, or by the algorithm of another digest. */
export function digestOf(body: Buffer, like = "sha256:"): string {
  const algorithm = like.slice(0, like.indexOf(":"));
  return `${algorithm}:${createHash(algorithm).update(body).digest("hex")}`;
}

export function isDigest(text: string): boolean {
  return /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/.test(text);
}
