import { createHash } from "node:crypto";
import { UserError } from "../../errors.js";
import type { Blob } from "../../registry/blob.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { descriptorOf } from "./descriptor.js";

/** A manifest or an index as it goes into a layout. */
export interface LayoutManifest {
  mediaType: string;
  body: Buffer;
}

/** An image that is written to a layout. */
export interface LayoutImage {
  /** Full names with tags: `registry.example/you/digits:1.2.0`. */
  names: readonly string[];
  /** An image's manifest, or an index of several. */
  manifest: LayoutManifest;
  /** Those that an index names; none otherwise. */
  manifests?: readonly LayoutManifest[];
  /** Configurations and layers of all of them, digests known. */
  blobs: readonly Blob[];
}

export interface WriteLayoutOptions {
  /** Bytes written so far. */
  onProgress?: ((bytes: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export type KnownBlob = Blob & { readonly digest: string };

/**
 * What an image is made of, each once, and each failing while it is read unless its bytes are those of its digest.
 * Who writes half an image has a defect.
 */
export function blobsOf({ manifest, manifests = [], blobs }: LayoutImage): KnownBlob[] {
  const known = new Map<string, KnownBlob>();
  for (const blob of blobs) {
    const { digest } = blob;
    if (digest === undefined) throw new Error(`the digest of ${blob.title} is not known`);
    known.set(digest, checked(blob, digest));
  }
  const below = new Set(manifests.map(({ body }) => digestOf(body)));
  for (const { body } of [manifest, ...manifests]) {
    const parts = partsOf(body);
    const missing =
      parts.manifests.find(({ digest }) => !below.has(digest)) ??
      parts.blobs.find(({ digest }) => !known.has(digest));
    if (missing) throw new Error(`${missing.digest} of an image is missing`);
  }
  return [...known.values()];
}

/** What a manifest, or an index, names. */
export function partsOf(body: Buffer): { manifests: Descriptor[]; blobs: Descriptor[] } {
  const { manifests, config, layers } = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  const sound = (values: unknown) =>
    Array.isArray(values) ? values.flatMap((one) => descriptorOf(one) ?? []) : [];
  return { manifests: sound(manifests), blobs: [...sound([config]), ...sound(layers)] };
}

function checked(blob: Blob, digest: string): KnownBlob {
  const { title, mediaType, size, identity } = blob;
  const open = (from = 0) => {
    const reading = blob.open(from);
    if (from > 0) return reading;
    return Object.assign(proven(reading, { title, size, digest }), { digest: reading.digest });
  };
  return { title, mediaType, size, digest, identity, open };
}

async function* proven(
  bytes: AsyncIterable<Buffer>,
  { title, digest, size }: { title: string; digest: string; size: number },
): AsyncGenerator<Buffer> {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const hash = createHash(algorithm);
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  if (length === size && `${algorithm}:${hash.digest("hex")}` === digest) return;
  throw new UserError("file_failed", `${title} is not what it should be.`, {
    why: `Its bytes are not those of ${digest}.`,
    hint: "Start again; if it stays so, the place where it lies is damaged.",
  });
}
