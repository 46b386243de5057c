import { openDigests } from "../weights/digests.js";
import { openLayers } from "../weights/layer.js";
import type { ModelFiles } from "./context.js";
import type { KnownLayer } from "./graft/thin-archive.js";
import { modelLayers } from "./model-layers.js";
import type { BuildOptions } from "./prepare.js";

/** The weight layers with their digests: remembered, or read once. */
export async function readWeights(model: ModelFiles, { env, signal }: BuildOptions): Promise<KnownLayer[]> {
  const digests = await openDigests(env);
  const layers = await openLayers(modelLayers(model), digests);
  const known = await Promise.all(
    layers.map(async (blob) => ({ ...(await blob.known(signal ? { signal } : {})), blob })),
  );
  await digests.save();
  return known;
}
