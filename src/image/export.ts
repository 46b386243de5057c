import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../docker/client.js";
import type { ImageFacts } from "../docker/images.js";
import { Spool } from "../registry/intake/spool.js";
import type { Reporter } from "../reporter.js";
import { exportByPush } from "./export/by-push.js";
import { exportBySave } from "./export/by-save.js";
import { FoundLayers, spoolError } from "./export/layer-blobs.js";
import type { ExportedImage, ExportOptions } from "./export/model.js";
import type { CodeImage } from "./graft/model.js";

export type { ExportedImage, ExportOptions };

/**
 * Gets an image out of an engine as a registry has it: configuration, manifest, and those layers that `has` does not
 * know. The engine pushes it to a registry of ours on loopback; one that cannot reach that gives its archive.
 */
export async function exportImage(
  engine: Engine,
  image: ImageFacts,
  options: ExportOptions,
): Promise<ExportedImage> {
  const { has, report, signal } = options;
  try {
    const spool = await Spool.open(options.spool);
    const found = new FoundLayers(spool, options.onLayer);
    const onBlob = (digest: string) => found.take(digest);
    const means = { spool, has, onBlob, report, signal };
    const pushed = reachesUs(engine) ? await exportByPush(engine, image, means) : undefined;
    const code = pushed ?? (await exportBySave(engine, image, means));
    return { ...code, layers: await found.of(code.manifest) };
  } catch (error) {
    throw spoolError(error, options.spool);
  }
}

/**
 * An image's manifest and configuration as an engine with the containerd store has them, without any layer moving.
 * `undefined` on other stores, which would have to compress every layer to say.
 */
export async function exportManifest(
  engine: Engine,
  image: ImageFacts,
  options: { report: Reporter; signal?: AbortSignal | undefined },
): Promise<CodeImage | undefined> {
  if (engine.info.store !== "containerd") return undefined;
  const { report, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), "modelship-manifest-"));
  try {
    const spool = await Spool.open(folder);
    const isLayer = async (_digest: string, mediaType: string | undefined) =>
      /\.(layer|rootfs)\./.test(mediaType ?? "") ? 0 : undefined;
    const pushed = reachesUs(engine)
      ? await exportByPush(engine, image, { spool, has: isLayer, report, signal })
      : undefined;
    return pushed ?? (await exportBySave(engine, image, { spool, has: async () => 0, report, signal }));
  } catch (error) {
    throw spoolError(error, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the engine's loopback may be ours. One in a virtual machine turns out not to be when it tries. */
function reachesUs({ endpoint }: Engine): boolean {
  if (/^(unix|npipe):/.test(endpoint.host)) return true;
  return /^(tcp|https?):\/\/(localhost|127(\.\d+){3}|\[::1\])(:|$)/.test(endpoint.host);
}
