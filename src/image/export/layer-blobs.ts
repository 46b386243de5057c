import { open } from "node:fs/promises";
import { systemCode, UserError } from "../../errors.js";
import type { Blob } from "../../registry/blob.js";
import { fileBlob } from "../../registry/file-blob.js";
import type { Spool } from "../../registry/intake/spool.js";
import { familyTypes } from "../graft/family.js";
import type { ImageManifest } from "../graft/model.js";

/** Layers that have come into the spool, told as soon as each is there. */
export class FoundLayers {
  private readonly spool: Spool;
  private readonly onLayer: ((layer: Blob) => void) | undefined;
  private readonly telling = new Map<string, Promise<void>>();

  constructor(spool: Spool, onLayer: ((layer: Blob) => void) | undefined) {
    this.spool = spool;
    this.onLayer = onLayer;
  }

  take(digest: string): void {
    if (this.telling.has(digest)) return;
    const told = this.tell(digest);
    told.catch(() => {}); // of() throws it
    this.telling.set(digest, told);
  }

  /** Those of a manifest, in its order. */
  async of(manifest: ImageManifest): Promise<Blob[]> {
    await Promise.all(this.telling.values());
    const layers: Blob[] = [];
    for (const { digest, mediaType, size } of manifest.layers) {
      const file = this.telling.has(digest) ? await this.spool.find(digest) : undefined;
      if (file) layers.push(fileBlob(file.path, { title: titleOf(digest), mediaType, size, digest }));
    }
    return layers;
  }

  /** Configurations come the same way, and are none. */
  private async tell(digest: string): Promise<void> {
    const file = await this.spool.find(digest);
    if (file === undefined || (await this.spool.document(digest))) return;
    const mediaType = familyTypes.oci.layer + (await compressionOf(file.path));
    this.onLayer?.(fileBlob(file.path, { title: titleOf(digest), mediaType, size: file.size, digest }));
  }
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
