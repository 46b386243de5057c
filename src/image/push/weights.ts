import type { Layer } from "../../weights/layer.js";
import type { WeightLayer } from "../graft/model.js";
import type { Target } from "./target.js";

/**
 * Sends weight layers straight from their files. A layer whose digest is not known yet is digested on its way where the
 * repository is new; elsewhere first, because reading it is cheaper than sending what may be there already.
 */
export async function sendWeights(target: Target, layers: readonly Layer[]): Promise<WeightLayer[]> {
  const unknown = layers.some((layer) => layer.digest === undefined);
  const onTheWay = unknown && (await target.isNew());
  return Promise.all(
    layers.map(async (layer) => {
      if (!onTheWay) await layer.known();
      await target.send(layer);
      return layer.known();
    }),
  );
}
