import { join } from "node:path";
import { cacheFolder } from "../../cache.js";
import type { Engine } from "../../docker/client.js";
import type { ImageFacts } from "../../docker/images.js";
import type { Blob } from "../../registry/blob.js";
import { Spool } from "../../registry/intake/spool.js";
import { type Reporter, silent, task } from "../../reporter.js";
import { exportImage } from "../export.js";
import { codeConfig } from "../graft/code-config.js";
import type { CodeImage } from "../graft/model.js";
import { CodeCache } from "./code-cache.js";
import type { Target } from "./target.js";

/** Layers that are kept for a push to another registry, in bytes: an engine takes its time to compress them again. */
const mostSpooled = 2_000_000_000;

export interface SendCodeOptions {
  env: NodeJS.ProcessEnv;
  report: Reporter;
}

/**
 * Brings the layers of an engine's image to a registry, each as soon as the engine has it ready, and tells how a
 * manifest names them. The engine is asked only for layers that the registry lacks.
 */
export async function sendCode(
  target: Target,
  engine: Engine,
  image: ImageFacts,
  options: SendCodeOptions,
): Promise<CodeImage> {
  const cache = new CodeCache(options.env);
  const known = await cache.find(image.id);
  if (known && (await hasAll(target, known))) return known;
  // First of all: an image that another build has taken the tag from can be gone once it was exported.
  const written = engine.info.store === "containerd" ? undefined : await codeConfig(engine, image);
  const folder = join(cacheFolder(options.env), "spool");
  const sending: Promise<unknown>[] = [];
  const code = await task(options.report, `export ${target.name}`, "Read the code image", () =>
    exportImage(engine, image, {
      spool: folder,
      has: (digest) => target.has(digest),
      onLayer: (layer: Blob) => {
        const one = target.send(layer);
        one.catch(() => {}); // awaited below, unless the export fails before
        sending.push(one);
      },
      report: silent,
      signal: target.signal,
    }),
  );
  await Promise.all(sending);
  await (await Spool.open(folder)).trim(mostSpooled);
  const result = { config: written ?? code.config, manifest: code.manifest };
  await cache.keep(image.id, result);
  return result;
}

async function hasAll(target: Target, { manifest }: CodeImage): Promise<boolean> {
  const found = await Promise.all(manifest.layers.map((layer) => target.has(layer.digest)));
  return found.every((size, index) => size === manifest.layers[index]?.size);
}
