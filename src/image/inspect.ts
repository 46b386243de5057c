import { RegistryClient } from "../registry/client.js";
import { formatReference, parseReference } from "../registry/reference.js";
import { type Attached, attachedTo } from "./remote/attached.js";
import { readManifest } from "./remote/read.js";
import { weightsOf } from "./remote/weights.js";

export interface InspectOptions {
  env: NodeJS.ProcessEnv;
  reference: string;
  platform?: string | undefined;
  insecure?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface InspectedLayer {
  digest: string;
  mediaType: string;
  /** `null`: none. */
  compression: "gzip" | "zstd" | null;
  /** Bytes in the registry. */
  size: number;
  /** The step that made it. */
  createdBy: string;
  weights: boolean;
}

export interface Inspection {
  reference: string;
  digest: string;
  mediaType: string;
  /** `null` of what is no image, such as a model artifact. */
  platform: string | null;
  platforms: readonly string[];
  created: string | null;
  /** Bytes of all layers. */
  size: number;
  /** Bytes of the layers of model files. */
  weightsSize: number;
  user: string;
  entrypoint: readonly string[];
  base: { name: string | null; digest: string | null };
  layers: readonly InspectedLayer[];
  /** `size` is `null` where only the history tells of a file, `digest` where its layer's stands for it. */
  weights: readonly { path: string; size: number | null; digest: string | null; layer: string }[];
  attached: readonly Attached[];
  labels: Readonly<Record<string, string>>;
}

/** What an image in a registry is made of; nothing but its documents is read. Throws UserError. */
export async function inspectRemote(options: InspectOptions): Promise<Inspection> {
  const { env, insecure, signal } = options;
  const reference = parseReference(options.reference);
  const client = new RegistryClient(reference.registry, { env, insecure, signal });
  try {
    const platform = options.platform ?? `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
    const image = await readManifest(client, reference, platform);
    const { config, manifest } = image;
    const weights = weightsOf(image);
    const grafted = new Set(weights.map(({ layer }) => layer.digest));
    const steps = (config?.history ?? []).filter((step) => !step.empty_layer);
    const labels = config?.config?.Labels ?? {};
    const sum = (layers: readonly { size: number }[]) => layers.reduce((bytes, { size }) => bytes + size, 0);
    const { registry, repository } = reference;
    return {
      reference: formatReference({ registry, repository, digest: image.digest }),
      digest: image.digest,
      mediaType: image.mediaType,
      platform: config ? [config.os, config.architecture, config.variant].filter(Boolean).join("/") : null,
      platforms: image.platforms,
      created: config?.created ?? null,
      size: sum(manifest.layers),
      weightsSize: sum(weights.map(({ layer }) => layer)),
      user: String(config?.config?.User ?? ""),
      entrypoint: words(config?.config?.Entrypoint),
      base: {
        name: labels["org.opencontainers.image.base.name"] ?? null,
        digest: labels["org.opencontainers.image.base.digest"] ?? null,
      },
      layers: manifest.layers.map(({ digest, mediaType, size }, at) => ({
        digest,
        mediaType,
        compression: compressionOf(mediaType),
        size,
        createdBy: steps[at]?.created_by ?? "",
        weights: grafted.has(digest),
      })),
      weights: weights.flatMap(({ layer, files }) =>
        files.map(({ path, size, digest }) => ({
          path,
          size: size ?? null,
          digest: digest ?? null,
          layer: layer.digest,
        })),
      ),
      attached: await attachedTo(client, repository, [image.digest, image.manifestDigest]),
      labels,
    };
  } finally {
    client.close();
  }
}

function compressionOf(mediaType: string): InspectedLayer["compression"] {
  return mediaType.endsWith("gzip") ? "gzip" : mediaType.endsWith("zstd") ? "zstd" : null;
}

function words(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];
}
