import type { Descriptor } from "../../registry/manifest.js";

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

/** A weight layer that is known: an uncompressed tar, so its digest is its diff id too. */
export interface WeightLayer {
  /** `sha256:<hex>` */
  digest: string;
  /** Bytes of the tar. */
  size: number;
  files: readonly WeightFile[];
}

export interface WeightFile {
  /** Absolute path in the container. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` of the file itself. */
  digest: string;
}
