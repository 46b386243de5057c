import { UserError } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import { download, verified } from "../../registry/download.js";
import { isDigest, type Manifest } from "../../registry/manifest.js";
import { formatReference, type Reference } from "../../registry/reference.js";
import { chooseImage, imageConfig, imageManifest, isIndex } from "../export/manifest.js";
import type { CodeImage } from "../graft/model.js";

/** An image as its registry has it; only documents were read. */
export interface RemoteImage extends CodeImage {
  /** Of what the name stands for: the manifest, or an index of several. */
  digest: string;
  mediaType: string;
  /** Of the image itself. */
  manifestDigest: string;
  /** What the index holds; one where there is none. */
  platforms: readonly string[];
}

/** A configuration is a small document. */
const largestConfig = 4 * 1024 * 1024;

/** Reads what a name stands for. Of an index it is the image for `platform` (`linux/amd64`). */
export async function readImage(
  client: RegistryClient,
  reference: Reference,
  platform: string,
): Promise<RemoteImage> {
  const { repository } = reference;
  const top = await client.manifest(reference);
  const index = parsed(top, reference);
  const single = isIndex(index)
    ? await client.manifest({ repository, digest: chooseImage(index, platform, () => true) })
    : top;
  const manifest = imageManifest(parsed(single, reference), single.mediaType);
  if (manifest.config.size > largestConfig || !isDigest(manifest.config.digest)) throw noImage(reference);
  const chunks: Buffer[] = [];
  const bytes = download(client, manifest.config, { repository });
  for await (const chunk of verified(bytes, manifest.config, client.registry)) chunks.push(chunk);
  const config = imageConfig(json(Buffer.concat(chunks), reference), manifest.layers.length);
  return {
    manifest,
    config,
    digest: top.digest,
    mediaType: top.mediaType,
    manifestDigest: single.digest,
    platforms: isIndex(index) ? platformsOf(index) : [platformOf(config)],
  };
}

function platformsOf(index: Readonly<Record<string, unknown>>): string[] {
  const entries = Array.isArray(index.manifests) ? (index.manifests as unknown[]) : [];
  return entries
    .map((entry) => (entry as { platform?: Parameters<typeof platformOf>[0] } | null)?.platform)
    .filter((platform) => platform !== undefined && platform.os !== "unknown")
    .map((platform) => platformOf(platform ?? {}));
}

function platformOf(platform: { os?: unknown; architecture?: unknown; variant?: unknown }): string {
  return [platform.os, platform.architecture, platform.variant]
    .filter((part) => typeof part === "string")
    .join("/");
}

function parsed({ body }: Manifest, reference: Reference): Readonly<Record<string, unknown>> {
  return json(body, reference);
}

function json(bytes: Buffer, reference: Reference): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw noImage(reference);
}

function noImage(reference: Reference): UserError {
  return new UserError("registry_failed", `${formatReference(reference)} is no image that can be read.`, {
    why: "Its manifest or its configuration is none that images have.",
    hint: "Check the name.",
  });
}
