import { isDigest } from "../../registry/manifest.js";
import { Annotation } from "../graft/manifest.js";
import type { ConfigDocument, ImageManifest, LayerDescriptor } from "../graft/model.js";

/** A layer of weights in a registry. */
export interface RemoteWeights {
  layer: LayerDescriptor;
  /** As the layer's annotations, or the image's history where there are none, tell; not all where there are many. */
  files: readonly RemoteFile[];
  /** How many files it holds, where that is told. */
  count: number | undefined;
}

export interface RemoteFile {
  /** Absolute path in the container. */
  path: string;
  /** Bytes, where they are told: a history does not. */
  size: number | undefined;
  /** `sha256:<hex>`; a file that has a layer to itself goes by the layer's. */
  digest: string | undefined;
}

/** What other tools call weights in a model artifact, as long as it is a plain tar. */
const artifactLayers: readonly string[] = [
  "application/vnd.cncf.model.weight.v1.tar",
  "application/vnd.cncf.model.weight.config.v1.tar",
];

/**
 * Which layers of an image are weights. What is told of their files is the registry's word until they are read.
 */
export function weightsOf({
  manifest,
  config,
}: {
  manifest: ImageManifest;
  config: ConfigDocument | undefined;
}): RemoteWeights[] {
  const steps = (config?.history ?? []).filter((step) => !step.empty_layer);
  return manifest.layers.flatMap((layer, at) => {
    const count = Number(layer.annotations?.[Annotation.count] ?? Number.NaN);
    if (Number.isSafeInteger(count)) {
      return [{ layer, count, files: listed(layer.annotations?.[Annotation.files]) }];
    }
    const told = toldBy(steps[at]?.created_by ?? "");
    if (told) return [{ layer, ...told }];
    return artifactLayers.includes(layer.mediaType) ? [{ layer, count: undefined, files: [] }] : [];
  });
}

/** What grafting wrote into the history. */
function toldBy(step: string): Omit<RemoteWeights, "layer"> | undefined {
  const told = /^modelship weights (\/.+?)(?: and (\d+) more)?$/.exec(step);
  if (!told) return undefined;
  const [, path = "", more = "0"] = told;
  return { count: Number(more) + 1, files: [{ path, digest: undefined, size: undefined }] };
}

function listed(text: string | undefined): RemoteFile[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.filter(isFile) : [];
  } catch {
    return [];
  }
}

function isFile(value: unknown): value is RemoteFile {
  const { path, size, digest } = Object(value) as Partial<Record<keyof RemoteFile, unknown>>;
  return (
    typeof path === "string" &&
    path.startsWith("/") &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    (digest === undefined || (typeof digest === "string" && isDigest(digest)))
  );
}
