import { UserError } from "../../errors.js";

/** The files of a layout: of a folder, or of a tar. Names are relative, with forward slashes. */
export interface LayoutFiles {
  /** Where they are, for people. */
  readonly path: string;
  /** Bytes of a file; `undefined` where no plain file has that name. */
  size(name: string): Promise<number | undefined>;
  /** Reads a file from an offset to its end. A chunk may be overwritten once the next one is asked for. */
  read(name: string, from?: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

export const layoutFile = "oci-layout";
export const indexFile = "index.json";
/** What makes a tar one that `docker save` could have written. */
export const dockerListFile = "manifest.json";

/** Where a layout keeps a blob. */
export function blobFile(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** A small file, whole; `undefined` where it is not there. */
export async function readSmall(
  files: LayoutFiles,
  name: string,
  limit: number,
): Promise<Buffer | undefined> {
  const size = await files.size(name);
  if (size === undefined) return undefined;
  if (size > limit) throw noLayout(files.path, `${name} has ${size} bytes; ${limit} is the limit.`);
  const chunks: Buffer[] = [];
  for await (const chunk of files.read(name)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** A small JSON file; `undefined` where it is not there. */
export async function readJson(files: LayoutFiles, name: string, limit: number): Promise<unknown> {
  const bytes = await readSmall(files, name, limit);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw noLayout(files.path, `${name} is no JSON.`, error);
  }
}

export function noLayout(path: string, why: string, cause?: unknown): UserError {
  return new UserError("file_failed", `${path} is no image that can be read.`, {
    why,
    hint: "It should be an OCI image layout, as a folder or a tar, or a tar of `docker save`.",
    cause,
  });
}
