import type { Engine } from "../docker/client.js";
import type { ImageFacts } from "../docker/images.js";
import type { Blob } from "../registry/blob.js";
import { Spool } from "../registry/intake/spool.js";
import { exportByPush } from "./export/by-push.js";
import { spoolError, spooledLayer, spooledLayers } from "./export/layer-blobs.js";
import type { ExportedImage, ExportOptions } from "./export/model.js";

export type { ExportedImage, ExportOptions };

/**
 * Gets an image out of an engine as a registry has it: configuration, manifest, and those layers that `has` does not
 * know. The engine pushes it to a registry of ours on loopback.
 */
export async function exportImage(
  engine: Engine,
  image: ImageFacts,
  options: ExportOptions,
): Promise<ExportedImage> {
  const { report, signal } = options;
  try {
    const spool = await Spool.open(options.spool);
    const found = new Found(spool, options.onLayer);
    const onBlob = (digest: string) => found.take(digest);
    const code = await exportByPush(engine, image, { spool, has: options.has, onBlob, report, signal });
    if (code === undefined) throw new Error("not yet");
    return { ...code, layers: await spooledLayers(spool, code.manifest, await found.all()) };
  } catch (error) {
    throw spoolError(error, options.spool);
  }
}

/** What has come in, told as layers. */
class Found {
  private readonly spool: Spool;
  private readonly onLayer: ((layer: Blob) => void) | undefined;
  private readonly telling = new Map<string, Promise<void>>();

  constructor(spool: Spool, onLayer: ((layer: Blob) => void) | undefined) {
    this.spool = spool;
    this.onLayer = onLayer;
  }

  take(digest: string): void {
    if (this.telling.has(digest)) return;
    const told = spooledLayer(this.spool, digest).then((layer) => layer && this.onLayer?.(layer));
    told.catch(() => {}); // all() throws it
    this.telling.set(digest, told);
  }

  async all(): Promise<ReadonlySet<string>> {
    await Promise.all(this.telling.values());
    return new Set(this.telling.keys());
  }
}
