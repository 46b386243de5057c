import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Spool } from "../../registry/intake/spool.js";
import { isSpoolDigest } from "../../registry/intake/spool.js";

/** What a layer became when we compressed it. */
export interface CompressedLayer {
  /** Of the tar: what configurations name layers by. */
  diffId: string;
  /** Of the compressed bytes. */
  digest: string;
  /** Bytes, compressed. */
  size: number;
}

const most = 512;

/**
 * Which compressed layer an engine's file became, by the name that the engine's archives give it: so a layer that is
 * where it is to go need not be compressed again to find out its digest. Kept beside the blobs.
 */
export class CompressedLayers {
  private readonly spool: Spool;
  private readonly layers: Map<string, CompressedLayer>;

  private constructor(spool: Spool, layers: Map<string, CompressedLayer>) {
    this.spool = spool;
    this.layers = layers;
  }

  static async open(spool: Spool): Promise<CompressedLayers> {
    const text = await readFile(fileIn(spool), "utf8").catch(() => "{}");
    return new CompressedLayers(spool, parse(text));
  }

  get(name: string): CompressedLayer | undefined {
    return this.layers.get(name);
  }

  set(name: string, layer: CompressedLayer): void {
    this.layers.delete(name);
    this.layers.set(name, layer);
  }

  forget(name: string): void {
    this.layers.delete(name);
  }

  /** Keeps what was learned; a table that cannot be written costs time, and is no error. */
  async save(): Promise<void> {
    const part = this.spool.partPath();
    const latest = Object.fromEntries([...this.layers].slice(-most));
    await writeFile(part, JSON.stringify(latest), { mode: 0o600 })
      .then(() => rename(part, fileIn(this.spool)))
      .catch(() => {});
  }
}

function fileIn(spool: Spool): string {
  return join(spool.folder, "compressed.json");
}

function parse(text: string): Map<string, CompressedLayer> {
  try {
    const entries = Object.entries(Object(JSON.parse(text)) as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, CompressedLayer] => isLayer(entry[1])));
  } catch {
    return new Map();
  }
}

function isLayer(value: unknown): value is CompressedLayer {
  const { diffId, digest, size } = (value ?? {}) as Partial<CompressedLayer>;
  return (
    [diffId, digest].every((id) => typeof id === "string" && isSpoolDigest(id)) && Number.isSafeInteger(size)
  );
}
