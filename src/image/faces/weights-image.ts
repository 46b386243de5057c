import { ociLayerType } from "../graft/family.js";
import { fileAnnotations } from "../graft/manifest.js";
import type { CodeImage, HistoryItem, ImageManifest, LayerDescriptor } from "../graft/model.js";
import { Label } from "../label-names.js";
import {
  configType,
  describeBlob,
  type Face,
  type FaceInput,
  faceOf,
  manifestType,
  type SmallBlob,
  weightLayerType,
} from "./face.js";
import { linkLayer } from "./link-layer.js";

interface Ground {
  layers: readonly LayerDescriptor[];
  diffIds: readonly string[];
  history: readonly HistoryItem[];
  environment: readonly string[] | undefined;
}

const epoch = "1970-01-01T00:00:00Z";

/** Only the model files, and `/models` that leads to them: for Kubernetes' image volumes. */
export function weightsImage(input: FaceInput): Face {
  return imageOn({ layers: [], diffIds: [], history: [], environment: undefined }, input);
}

/** What a code image stands on: its first layers, and the variables that its base sets. */
export interface BaseImage {
  layers: number;
  environment: readonly string[];
}

/** The same on top of the code image's base: KServe's modelcars run `sh` and `sleep` in the image. */
export function modelcarImage(input: FaceInput, code: CodeImage, base: BaseImage): Face {
  const { config, manifest } = code;
  return imageOn(
    {
      layers: manifest.layers
        .slice(0, base.layers)
        .map((layer) => ({ ...layer, mediaType: ociLayerType(layer.mediaType) })),
      diffIds: config.rootfs.diff_ids.slice(0, base.layers),
      history: historyOf(config.history ?? [], base.layers),
      environment: base.environment,
    },
    input,
  );
}

/** No entry point: whoever starts it says what runs. */
function imageOn(ground: Ground, input: FaceInput): Face {
  const link = linkLayer(input.modelFolder);
  const linkBlob: SmallBlob | undefined = link && { mediaType: weightLayerType, bytes: link };
  const weights = input.layers.map(({ digest, size, files }) => ({
    mediaType: weightLayerType,
    size,
    digest,
    annotations: fileAnnotations(files),
  }));
  const own: LayerDescriptor[] = [...weights, ...(linkBlob ? [describeBlob(linkBlob)] : [])];
  const { os, architecture, variant } = input.platform;
  const labels = {
    "org.opencontainers.image.title": input.name,
    "org.opencontainers.image.version": input.version,
  };
  const config: SmallBlob = {
    mediaType: configType,
    bytes: Buffer.from(
      JSON.stringify({
        ...(input.created !== undefined && { created: input.created }),
        architecture,
        os,
        ...(variant !== undefined && { variant }),
        config: { ...(ground.environment && { Env: ground.environment }), Labels: labels },
        rootfs: { type: "layers", diff_ids: [...ground.diffIds, ...own.map(({ digest }) => digest)] },
        history: [
          ...ground.history,
          ...input.layers.map(() => ({ created: epoch, created_by: "modelship weights" })),
          ...(linkBlob ? [{ created: epoch, created_by: "modelship link /models" }] : []),
        ],
      }),
    ),
  };
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: describeBlob(config),
    layers: [...ground.layers, ...own],
    annotations: { ...labels, [Label.files]: input.modelFolder },
  };
  return faceOf(manifest, config, linkBlob ? [linkBlob] : []);
}

/** The steps that made the first layers; a history that does not tell is replaced by one that says nothing. */
function historyOf(history: readonly HistoryItem[], layers: number): HistoryItem[] {
  const steps: HistoryItem[] = [];
  let made = 0;
  for (const step of history) {
    if (!step.empty_layer && made++ === layers) return steps;
    steps.push(step);
  }
  if (made === layers) return steps;
  return Array.from({ length: layers }, () => ({ created: epoch, created_by: "unknown" }));
}
