import { createHash } from "node:crypto";
import type { Spool } from "../../registry/intake/spool.js";
import { BlobWriting } from "../../registry/intake/writing.js";
import type { CompressedLayer, CompressedLayers } from "./compressed-layers.js";
import { gzipped } from "./gzip.js";
import { unreadable } from "./manifest.js";

export interface LayerIntakeOptions {
  spool: Spool;
  compressed: CompressedLayers;
  has: (digest: string) => Promise<number | undefined>;
  onBlob?: (digest: string) => void;
}

/** Brings layers of an archive into the spool, those that are nowhere yet. */
export class LayerIntake {
  private readonly options: LayerIntakeOptions;

  constructor(options: LayerIntakeOptions) {
    this.options = options;
  }

  /** A layer as it is to be shipped; its name is its digest. */
  async whole(digest: string, bytes: AsyncIterable<Buffer>): Promise<void> {
    const { spool, onBlob } = this.options;
    if (await this.isThere(digest)) return drain(bytes);
    const found = await write(spool, bytes, digest);
    if (found.digest !== digest) throw unreadable(`A layer is not ${digest}.`);
    onBlob?.(digest);
  }

  /** A layer that is to be compressed first. `name` is what the archive calls it. */
  async plain(name: string, bytes: AsyncIterable<Buffer>): Promise<CompressedLayer> {
    const { spool, compressed, has, onBlob } = this.options;
    const hash = createHash("sha256");
    const hashed = passing(bytes, (chunk) => hash.update(chunk));
    const known = compressed.get(name);
    if (known && (await this.isThere(known.digest))) {
      await drain(hashed);
      if (`sha256:${hash.digest("hex")}` === known.diffId) return known;
      compressed.forget(name);
      throw unreadable(`Its layer ${name} is another one than before.`);
    }
    const { digest, size } = await write(spool, gzipped(hashed));
    const layer = { diffId: `sha256:${hash.digest("hex")}`, digest, size };
    compressed.set(name, layer);
    // The same layer may have another name in each archive.
    if ((await has(digest)) === undefined) onBlob?.(digest);
    return layer;
  }

  private async isThere(digest: string): Promise<boolean> {
    const { has, spool, onBlob } = this.options;
    if ((await has(digest)) !== undefined) return true;
    if ((await spool.find(digest)) === undefined) return false;
    onBlob?.(digest);
    return true;
  }
}

async function write(spool: Spool, bytes: AsyncIterable<Buffer>, expected?: string) {
  const writing = await BlobWriting.begin(spool);
  try {
    for await (const chunk of bytes) await writing.write(chunk);
    return { digest: await writing.finish(expected), size: writing.size };
  } catch (error) {
    await writing.drop();
    throw error;
  }
}

async function* passing(bytes: AsyncIterable<Buffer>, see: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    see(chunk);
    yield chunk;
  }
}

async function drain(bytes: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of bytes);
}
