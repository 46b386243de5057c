import { createHash } from "node:crypto";
import { type Descriptor, digestOf, isDigest, type Manifest } from "../../registry/manifest.js";
import { familyTypes } from "../graft/family.js";
import type { LayoutEntry } from "./descriptor.js";
import { noLayout, readJson, readSmall } from "./files.js";
import type { TarFiles } from "./tar-files.js";

/** The images of a tar of `docker save`, which has no manifests: they are made here, from what it has. */
export interface DockerImages {
  entries: readonly LayoutEntry[];
  manifests: ReadonlyMap<string, Manifest>;
  /** Where in the tar the blob of a digest is. */
  files: ReadonlyMap<string, string>;
}

const largestConfig = 4 * 1024 * 1024;
const mostImages = 1000;
const mostLayers = 512;

/** `list` is the tar's manifest.json. Throws UserError `file_failed`. */
export async function readDockerImages(tar: TarFiles, list: unknown): Promise<DockerImages> {
  if (!Array.isArray(list) || list.length > mostImages) throw noLayout(tar.path, "It names no images.");
  const files = new Map<string, string>();
  const manifests = new Map<string, Manifest>();
  const entries: LayoutEntry[] = [];
  for (const item of list) {
    const { Config, Layers, RepoTags } = Object(item) as Record<string, unknown>;
    if (typeof Config !== "string" || !isTexts(Layers) || Layers.length > mostLayers) {
      throw noLayout(tar.path, "It names an image without saying what it is made of.");
    }
    const manifest = await makeManifest(tar, Config, Layers, files);
    manifests.set(manifest.digest, manifest);
    const { body, ...descriptor } = manifest;
    const names = isTexts(RepoTags) && RepoTags.length > 0 ? RepoTags : [undefined];
    entries.push(...names.map((name) => ({ name, descriptor })));
  }
  return { entries, manifests, files };
}

async function makeManifest(
  tar: TarFiles,
  configName: string,
  layerNames: readonly string[],
  files: Map<string, string>,
): Promise<Manifest> {
  const bytes = await readSmall(tar, tar.linked(configName), largestConfig);
  const { rootfs } = Object(await readJson(tar, tar.linked(configName), largestConfig)) as {
    rootfs?: unknown;
  };
  const ids = (Object(rootfs) as { diff_ids?: unknown }).diff_ids;
  if (bytes === undefined || !isTexts(ids) || !ids.every(isDigest) || ids.length !== layerNames.length) {
    throw noLayout(tar.path, "It has an image whose configuration does not go with its layers.");
  }
  const config = { mediaType: familyTypes.oci.config, size: bytes.length, digest: digestOf(bytes) };
  files.set(config.digest, tar.linked(configName));
  const layers: Descriptor[] = [];
  for (const [at, id] of ids.entries()) {
    const name = tar.linked(layerNames[at] ?? "");
    const layer = await describeLayer(tar, name, id);
    files.set(layer.digest, name);
    layers.push(layer);
  }
  const mediaType = familyTypes.oci.manifest;
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  return { mediaType, body, digest: digestOf(body), size: body.length };
}

/** A plain layer's digest is the one that the configuration has; of a compressed one it has to be computed. */
async function describeLayer(tar: TarFiles, name: string, id: string): Promise<Descriptor> {
  const size = await tar.size(name);
  if (size === undefined) throw noLayout(tar.path, `It lacks the layer ${id}.`);
  const compression = await compressionOf(tar, name);
  if (compression === "") return { mediaType: familyTypes.oci.layer, size, digest: id };
  const hash = createHash("sha256");
  for await (const chunk of tar.read(name)) hash.update(chunk);
  return {
    mediaType: `${familyTypes.oci.layer}${compression}`,
    size,
    digest: `sha256:${hash.digest("hex")}`,
  };
}

async function compressionOf(tar: TarFiles, name: string): Promise<"" | "+gzip" | "+zstd"> {
  for await (const chunk of tar.read(name)) {
    if (chunk.length < 4) break;
    if (chunk.readUInt16BE(0) === 0x1f8b) return "+gzip";
    return chunk.readUInt32LE(0) === 0xfd2fb528 ? "+zstd" : "";
  }
  return "";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
