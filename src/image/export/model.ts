import type { Blob } from "../../registry/blob.js";
import type { Reporter } from "../../reporter.js";
import type { CodeImage } from "../graft/model.js";

export interface ExportOptions {
  /** A folder of ours for the layers; what an earlier export left there is used again. */
  spool: string;
  /** Bytes of a layer that need not be exported, because it is where it is to go. */
  has: (digest: string) => Promise<number | undefined>;
  /** Called for each layer that `has` did not know, as soon as it lies whole in the spool. */
  onLayer?: ((layer: Blob) => void) | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface ExportedImage extends CodeImage {
  /** Those that `has` did not know, as files of the spool, in the manifest's order. */
  layers: Blob[];
}
