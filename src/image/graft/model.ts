import type { Descriptor } from "../../registry/manifest.js";

export type { DigestedFile, WeightFile, WeightLayer } from "../../weights/layers.js";

/** A manifest's entry, with what may come along. */
export interface LayerDescriptor extends Descriptor {
  annotations?: Readonly<Record<string, string>>;
}

/** An image manifest of either family, OCI or Docker schema 2; unknown fields stay. */
export interface ImageManifest {
  schemaVersion: 2;
  mediaType: string;
  config: Descriptor;
  layers: readonly LayerDescriptor[];
  annotations?: Readonly<Record<string, string>>;
}

/** An image's configuration; unknown fields stay. https://github.com/opencontainers/image-spec/blob/main/config.md */
export interface ConfigDocument {
  created?: string;
  architecture: string;
  os: string;
  variant?: string;
  config?: { Labels?: Readonly<Record<string, string>> | null; [field: string]: unknown };
  rootfs: { type: string; diff_ids: readonly string[] };
  history?: readonly HistoryItem[];
  [field: string]: unknown;
}

export interface HistoryItem {
  created?: string;
  created_by?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image without weights, as an engine or a layout has it. */
export interface CodeImage {
  config: ConfigDocument;
  manifest: ImageManifest;
}
