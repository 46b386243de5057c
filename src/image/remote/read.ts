import { UserError } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import type { Manifest } from "../../registry/manifest.js";
import { readDocument } from "../../registry/read-document.js";
import { formatReference, type Reference } from "../../registry/reference.js";
import { chooseImage, imageConfig, imageManifest, isIndex } from "../export/manifest.js";
import { familyTypes } from "../graft/family.js";
import type { ConfigDocument, ImageManifest } from "../graft/model.js";

/** What a name stands for, as its registry has it; only documents were read. */
export interface RemoteManifest {
  manifest: ImageManifest;
  /** `undefined` of what is no image: a model artifact has a configuration of its own kind. */
  config: ConfigDocument | undefined;
  /** Of what the name stands for: the manifest, or an index of several. */
  digest: string;
  mediaType: string;
  /** Of the image itself. */
  manifestDigest: string;
  /** What the index holds; at most one where there is none. */
  platforms: readonly string[];
}

export interface RemoteImage extends RemoteManifest {
  config: ConfigDocument;
}

/** A configuration is a small document. */
const largestConfig = 4 * 1024 * 1024;
const configTypes: readonly string[] = [familyTypes.oci.config, familyTypes.docker.config];

/** Reads the image that a name stands for. Of an index it is the image for `platform` (`linux/amd64`). */
export async function readImage(
  client: RegistryClient,
  reference: Reference,
  platform: string,
): Promise<RemoteImage> {
  const { config, ...read } = await readManifest(client, reference, platform);
  if (!config) throw noImage(reference);
  return { ...read, config };
}

/** The same of anything with a manifest. */
export async function readManifest(
  client: RegistryClient,
  reference: Reference,
  platform: string,
): Promise<RemoteManifest> {
  const { repository } = reference;
  const top = await client.manifest(reference);
  const index = parsed(top, reference);
  const single = isIndex(index)
    ? await client.manifest({ repository, digest: chooseImage(index, platform, () => true) })
    : top;
  const manifest = imageManifest(parsed(single, reference), single.mediaType);
  const config = configTypes.includes(manifest.config.mediaType)
    ? imageConfig(
        json(await readDocument(client, repository, manifest.config, largestConfig), reference),
        manifest.layers.length,
      )
    : undefined;
  return {
    manifest,
    config,
    digest: top.digest,
    mediaType: top.mediaType,
    manifestDigest: single.digest,
    platforms: isIndex(index) ? platformsOf(index) : config ? [platformOf(config)] : [],
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
