import { isDigest } from "../../registry/manifest.js";
import { Annotation } from "../graft/manifest.js";
import type { CodeImage, LayerDescriptor, WeightFile } from "../graft/model.js";

/** A layer of weights in a registry. */
export interface RemoteWeights {
  layer: LayerDescriptor;
  /** As the layer's annotations, or the image's history where there are none, tell; not all where there are many. */
  files: readonly WeightFile[];
  /** How many files it holds. */
  count: number;
}

/** Which layers of an image were grafted onto it. What is told of their files is the registry's word until they are read. */
export function weightsOf({ manifest, config }: CodeImage): RemoteWeights[] {
  const steps = (config.history ?? []).filter((step) => !step.empty_layer);
  return manifest.layers.flatMap((layer, at) => {
    const annotated = layer.annotations?.[Annotation.count] !== undefined;
    const step = /^modelship weights (\/.+?) (sha256:[0-9a-f]{64})(?: and (\d+) more)?$/.exec(
      steps[at]?.created_by ?? "",
    );
    if (!annotated && !step) return [];
    const [, path = "", digest = "", more = "0"] = step ?? [];
    const files = annotated ? listed(layer.annotations?.[Annotation.files]) : [];
    const count = Number(layer.annotations?.[Annotation.count] ?? Number(more) + 1);
    return [{ layer, count, files: files.length > 0 || !step ? files : [{ path, digest, size: 0 }] }];
  });
}

function listed(text: string | undefined): WeightFile[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isFile) : [];
  } catch {
    return [];
  }
}

function isFile(value: unknown): value is WeightFile {
  const { path, size, digest } = Object(value) as Partial<Record<keyof WeightFile, unknown>>;
  return (
    typeof path === "string" &&
    path.startsWith("/") &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    typeof digest === "string" &&
    isDigest(digest)
  );
}
