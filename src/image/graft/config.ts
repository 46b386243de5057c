import type { ConfigDocument, HistoryItem, WeightLayer } from "./model.js";

/** No clock in what is grafted: the same inputs give the same image. */
const epoch = "1970-01-01T00:00:00Z";

/**
 * The configuration of an image that has gained weight layers. What is not about them stays, in the document's order.
 * On classic stores the digest of these bytes is the image's id.
 */
export function graftConfig(
  config: ConfigDocument,
  weights: readonly WeightLayer[],
  labels: Readonly<Record<string, string>>,
): Buffer {
  const grafted: ConfigDocument = {
    ...config,
    config: { ...config.config, Labels: { ...config.config?.Labels, ...labels } },
    rootfs: {
      ...config.rootfs,
      diff_ids: [...config.rootfs.diff_ids, ...weights.map((layer) => layer.digest)],
    },
    history: [...fittingHistory(config), ...weights.map(historyItem)],
  };
  return Buffer.from(JSON.stringify(grafted));
}

/** A history without one item for every layer makes engines refuse the image. */
function fittingHistory(config: ConfigDocument): readonly HistoryItem[] {
  const layers = config.rootfs.diff_ids;
  const history = config.history ?? [];
  if (history.filter((item) => !item.empty_layer).length === layers.length) return history;
  return layers.map(() => ({ created: epoch, created_by: "unknown" }));
}

function historyItem(layer: WeightLayer): HistoryItem {
  const [first] = layer.files;
  const more = layer.files.length - 1;
  const what = first ? first.path : layer.digest;
  return {
    created: epoch,
    created_by: ["modelship weights", what, ...(more > 0 ? [`and ${more} more`] : [])].join(" "),
    comment: more > 0 ? "model files" : "model file",
  };
}
