import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import type { Blob } from "../../registry/blob.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { familyTypes } from "./family.js";
import { graftManifest } from "./manifest.js";
import type { ConfigDocument, ImageManifest, WeightLayer } from "./model.js";

/** One file of an archive: a few bytes, or a layer that is read when its turn comes. */
export interface ArchiveEntry {
  name: string;
  content: Buffer | Blob;
}

/** A weight layer with the bytes of it. */
export interface KnownLayer extends WeightLayer {
  blob: Blob;
}

/** `docker save`'s form, less the layers that the engine has: it never opens those whose chain it knows. */
export function dockerArchive(config: Buffer, layers: readonly KnownLayer[]): ArchiveEntry[] {
  const { rootfs } = JSON.parse(config.toString("utf8")) as { rootfs: { diff_ids: string[] } };
  const configName = `${hex(digestOf(config))}.json`;
  const list = [{ Config: configName, RepoTags: null, Layers: rootfs.diff_ids.map(layerName) }];
  return [
    { name: configName, content: config },
    ...layers.map(({ digest, blob }) => ({ name: layerName(digest), content: blob })),
    { name: "manifest.json", content: Buffer.from(JSON.stringify(list)) },
  ];
}

/** An OCI layout of one image, less the layers that the engine has. */
export function ociArchive(
  manifest: ImageManifest,
  config: Buffer,
  layers: readonly KnownLayer[],
): { entries: ArchiveEntry[]; digest: string } {
  const { mediaType, body, digest } = graftManifest(manifest, config, layers);
  const index = {
    schemaVersion: 2,
    mediaType: familyTypes.oci.index,
    manifests: [{ mediaType, digest, size: body.length }],
  };
  const entries = [
    { name: "oci-layout", content: Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" })) },
    { name: blobName(digestOf(config)), content: config },
    ...layers.map((layer) => ({ name: blobName(layer.digest), content: layer.blob })),
    { name: blobName(digest), content: body },
    { name: "index.json", content: Buffer.from(JSON.stringify(index)) },
  ];
  return { entries, digest };
}

/**
 * The manifest of an image by what its layers are when they are unpacked: by that Podman finds those that it has. It
 * does not look at their sizes, which nobody knows. In Docker's family, as OCI has no health checks.
 */
export function unpackedManifest({ rootfs }: ConfigDocument): ImageManifest {
  const { manifest, config, layer } = familyTypes.docker;
  const described = (mediaType: string, digest: string): Descriptor => ({ mediaType, digest, size: 1 });
  return {
    schemaVersion: 2,
    mediaType: manifest,
    config: described(config, ""), // grafting fills it in
    layers: rootfs.diff_ids.map((id) => described(layer, id)),
  };
}

/** The archive as a stream; a file that fails while it is read fails the stream. */
export function packed(entries: readonly ArchiveEntry[]): Readable {
  const archive = pack();
  const out = new PassThrough();
  // Either side may end first: the engine by refusing, the files by failing.
  pipeline(archive, out).catch(() => {});
  write(archive, entries).catch((error: Error) => out.destroy(error));
  return out;
}

async function write(archive: Pack, entries: readonly ArchiveEntry[]): Promise<void> {
  for (const { name, content } of entries) {
    const size = Buffer.isBuffer(content) ? content.length : content.size;
    const entry = archive.entry({ name, size, mode: 0o644, mtime: new Date(0) });
    // A layer's reading uses its buffers again, and the archive keeps what it was given.
    await pipeline(Buffer.isBuffer(content) ? [content] : copies(content), entry);
  }
  archive.finalize();
}

async function* copies(blob: Blob): AsyncGenerator<Buffer> {
  for await (const chunk of blob.open()) yield Buffer.from(chunk);
}

function layerName(digest: string): string {
  return `${hex(digest)}/layer.tar`;
}

function blobName(digest: string): string {
  return `blobs/sha256/${hex(digest)}`;
}

function hex(digest: string): string {
  return digest.slice("sha256:".length);
}
