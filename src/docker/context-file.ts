/**
 * One file of a build context, made on demand: nothing is copied to a temporary folder first.
 * `path` is relative to the context's root and uses forward slashes.
 */
export interface ContextFile {
  path: string;
  /** Normalised, because the mode is part of the engine's cache key and a umask is not. */
  mode: 0o644 | 0o755;
  /** Bytes. */
  size: number;
  source: { file: string } | { bytes: Buffer };
}
