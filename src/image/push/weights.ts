import type { Layer } from "../../weights/layer.js";
import type { WeightLayer } from "../graft/model.js";
import { nearbyLayerSizes } from "./nearby-layers.js";
import type { Target } from "./target.js";

/**
 * Sends weight layers straight from their files. A layer whose digest is not known yet is digested on its way, except where
 * an image nearby has a layer of its size: reading it first is cheaper than sending what may be there already.
 */
export async function sendWeights(target: Target, layers: readonly Layer[]): Promise<WeightLayer[]> {
  const unknown = layers.some((layer) => layer.digest === undefined);
  const there = unknown ? await nearbyLayerSizes(target) : new Set<number>();
  return Promise.all(
    layers.map(async (layer) => {
      if (there.has(layer.size)) await layer.known();
      await target.send(layer);
      return layer.known();
    }),
  );
}
