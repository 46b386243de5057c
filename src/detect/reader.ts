import type { Detected } from "./detected.js";
import type { SourceFile } from "./source.js";

/**
 * One format of model files. Names and extensions decide nothing: only bytes do.
 * A reader throws UserError `model_file` for a file that is of its format for sure and broken.
 */
export interface FileReader {
  /** For people and tests. */
  readonly name: string;
  /** Whether it is worth reading, from the first bytes and the size alone. Formats without a magic number say yes often. */
  recognises(file: SourceFile): boolean;
  /** `undefined`: it is not of this format after all, and the next reader may try. */
  read(file: SourceFile, signal: AbortSignal | undefined): Promise<Detected | undefined>;
}

/** A folder, by the names of what is in it. */
export interface SourceFolder {
  /** Absolute. */
  readonly path: string;
  /** Names of the files (links that lead to files, too) and of the folders right in it, sorted. */
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** A format that is a whole folder: what is in a recognised folder is not searched for more models. */
export interface FolderReader {
  readonly name: string;
  recognises(folder: SourceFolder): boolean;
  read(folder: SourceFolder, signal: AbortSignal | undefined): Promise<Detected | undefined>;
}
