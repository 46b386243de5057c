import { posix } from "node:path";
import { inspectImage } from "../../docker/images.js";
import { bytesBlob } from "../../registry/file-blob.js";
import type { CodeImageBuild } from "../code-image.js";
import { describeBlob, type Face } from "../faces/face.js";
import { modelPack } from "../faces/model-pack.js";
import { modelcarImage, weightsImage } from "../faces/weights-image.js";
import type { CodeImage, WeightLayer } from "../graft/model.js";
import type { FaceKind } from "./face-kinds.js";
import type { Target } from "./target.js";

export interface NamedFace {
  kind: FaceKind;
  face: Face;
}

/** Makes the faces that are asked for, and sends the small blobs that they need; the weights are there. */
export async function sendFaces(
  target: Target,
  kinds: readonly FaceKind[],
  built: CodeImageBuild,
  code: CodeImage,
  weights: readonly WeightLayer[],
): Promise<NamedFace[]> {
  const faces: NamedFace[] = [];
  for (const kind of new Set(kinds)) {
    const face = await faceOf(kind, built, code, weights);
    for (const blob of [face.config, ...face.blobs]) {
      const title = `${kind}: ${describeBlob(blob).digest}`;
      await target.send(bytesBlob(blob.bytes, { title, mediaType: blob.mediaType }));
    }
    faces.push({ kind, face });
  }
  return faces;
}

async function faceOf(
  kind: FaceKind,
  { engine, prepared, image }: CodeImageBuild,
  code: CodeImage,
  layers: readonly WeightLayer[],
): Promise<Face> {
  const { config } = prepared.project;
  const { files, containerPath } = prepared.content.model;
  // A model that is one file lies in a folder; that is what others look into.
  const isFile = files.length === 1 && containerPath.endsWith(`/${files[0]?.path}`);
  const { os, architecture, variant } = code.config;
  const input = {
    name: config.name,
    version: config.version,
    created: image.labels["org.opencontainers.image.created"],
    platform: { os, architecture, variant },
    modelFolder: isFile ? posix.dirname(containerPath) : containerPath,
    layers,
  };
  if (kind === "weights") return weightsImage(input);
  if (kind === "modelpack") {
    const revision = image.labels["org.opencontainers.image.revision"];
    return modelPack({ ...input, revision, source: image.labels["org.opencontainers.image.source"] });
  }
  const base = await inspectImage(engine, prepared.decision.reference);
  const environment = Object.entries(base?.env ?? {}).map(([name, value]) => `${name}=${value}`);
  return modelcarImage(input, code, { layers: base?.layers.length ?? 0, environment });
}
