import { open } from "node:fs/promises";
import { systemCode, UserError } from "../../errors.js";
import type { Blob } from "../../registry/blob.js";
import { fileBlob } from "../../registry/file-blob.js";
import type { Spool } from "../../registry/intake/spool.js";
import { familyTypes } from "../graft/family.js";
import type { ImageManifest } from "../graft/model.js";

/** A blob of the spool that is a layer; `undefined` for a configuration, which comes the same way. */
export async function spooledLayer(spool: Spool, digest: string): Promise<Blob | undefined> {
  const file = await spool.find(digest);
  if (file === undefined || (await spool.document(digest))) return undefined;
  const mediaType = familyTypes.oci.layer + (await compressionOf(file.path));
  return fileBlob(file.path, { title: titleOf(digest), mediaType, size: file.size, digest });
}

/** A manifest's layers as far as they are in the spool. */
export async function spooledLayers(
  spool: Spool,
  manifest: ImageManifest,
  wanted: ReadonlySet<string>,
): Promise<Blob[]> {
  const layers: Blob[] = [];
  for (const { digest, mediaType, size } of manifest.layers) {
    const file = wanted.has(digest) ? await spool.find(digest) : undefined;
    if (file) layers.push(fileBlob(file.path, { title: titleOf(digest), mediaType, size, digest }));
  }
  return layers;
}

/** What went wrong with the spool, in the user's terms. */
export function spoolError(error: unknown, folder: string): UserError {
  if (error instanceof UserError) return error;
  const full = ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");
  return new UserError(
    full ? "disk_full" : "file_failed",
    full ? `The disk of ${folder} is full.` : `${folder} cannot be used.`,
    {
      why: error instanceof Error ? error.message : String(error),
      hint: "The image's layers pass through this folder; XDG_CACHE_HOME moves it elsewhere.",
      cause: error,
    },
  );
}

function titleOf(digest: string): string {
  return `layer ${digest.slice("sha256:".length, 19)}`;
}

async function compressionOf(path: string): Promise<"" | "+gzip" | "+zstd"> {
  const file = await open(path, "r");
  try {
    return compressionIn((await file.read(Buffer.alloc(4), 0, 4, 0)).buffer);
  } finally {
    await file.close();
  }
}

/** How a layer is compressed, by its first bytes. */
export function compressionIn(start: Buffer): "" | "+gzip" | "+zstd" {
  if (start[0] === 0x1f && start[1] === 0x8b) return "+gzip";
  return start.length >= 4 && start.readUInt32LE() === 0xfd2fb528 ? "+zstd" : "";
}
