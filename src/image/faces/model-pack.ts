import { posix } from "node:path";
import { Annotation, fileAnnotations } from "../graft/manifest.js";
import type { WeightLayer } from "../graft/model.js";
import { Label } from "../label-names.js";
import { describeBlob, type Face, type FaceInput, faceOf, manifestType, type SmallBlob } from "./face.js";

/** CNCF ModelPack's types. https://github.com/modelpack/model-spec */
const modelType = "application/vnd.cncf.model.manifest.v1+json";
const modelConfigType = "application/vnd.cncf.model.config.v1+json";
const weightType = "application/vnd.cncf.model.weight.v1.tar";

const formats: Readonly<Record<string, string>> = {
  ".safetensors": "safetensors",
  ".gguf": "gguf",
  ".onnx": "onnx",
  ".pt": "pytorch",
  ".pth": "pytorch",
  ".keras": "keras",
  ".tflite": "tflite",
};

export interface ModelPackInput extends Omit<FaceInput, "platform"> {
  /** Commit of the source. */
  revision?: string | undefined;
  /** Address of the source. */
  source?: string | undefined;
}

/** The weight layers as a model artifact, for tools that know models rather than images. */
export function modelPack(input: ModelPackInput): Face {
  const { name, version, created, revision, source, modelFolder, layers } = input;
  const format = formatOf(layers);
  const document = {
    descriptor: {
      ...(created !== undefined && { createdAt: created }),
      name,
      version,
      ...(source !== undefined && { sourceURL: source }),
      ...(revision !== undefined && { revision }),
    },
    config: format === undefined ? {} : { format },
    modelfs: { type: "layers", diffIds: layers.map(({ digest }) => digest) },
  };
  const config: SmallBlob = { mediaType: modelConfigType, bytes: Buffer.from(JSON.stringify(document)) };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: modelType,
    config: describeBlob(config),
    layers: layers.map((layer) => ({
      mediaType: weightType,
      size: layer.size,
      digest: layer.digest,
      annotations: { ...fileAnnotations(layer.files), [Annotation.path]: pathOf(layer) },
    })),
    annotations: { [Label.files]: modelFolder },
  };
  return faceOf(manifest, config, []);
}

/** The path of a layer's file in its tar, or the folder of several. */
function pathOf({ files }: WeightLayer): string {
  const [first, ...others] = files.map((file) => posix.relative("/", file.path));
  if (first === undefined) return ".";
  if (others.length === 0) return first;
  let folder = posix.dirname(first);
  while (folder !== "." && !others.every((path) => path.startsWith(`${folder}/`)))
    folder = posix.dirname(folder);
  return folder;
}

/** Told only where the weights agree on one. */
function formatOf(layers: readonly WeightLayer[]): string | undefined {
  const found = new Set(
    layers.flatMap(({ files }) =>
      files.flatMap((file) => formats[posix.extname(file.path).toLowerCase()] ?? []),
    ),
  );
  return found.size === 1 ? [...found][0] : undefined;
}
