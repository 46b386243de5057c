import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { interrupted, throwIfAborted, UserError } from "../../errors.js";
import { digestOf } from "../../registry/manifest.js";
import { writeError } from "../../weights/write-error.js";
import { type ArchiveEntry, packed } from "../graft/thin-archive.js";
import { dockerFiles, ociFiles } from "./archives.js";
import type { LayoutImage, WriteLayoutOptions } from "./content.js";
import { withOciTypes } from "./oci-types.js";
import { writeFolder } from "./write-folder.js";

export type LayoutKind = "oci-dir" | "oci-tar" | "docker-tar";

export interface WrittenLayout {
  /** Absolute. */
  path: string;
  /** Of the image's manifest or index as it was written: one of Docker's types becomes one of OCI's. */
  digest: string;
  bytesWritten: number;
  /** Bytes of blobs that the folder had already. */
  bytesKept: number;
}

/**
 * Writes an image to a folder or a file, every blob checked on its way. A tar is written beside its place and renamed;
 * a folder that is a layout already keeps what it has. Throws UserError `files_exist` where something else is,
 * `disk_full`, `file_failed`, `interrupted`.
 */
export async function writeLayout(
  kind: LayoutKind,
  path: string,
  image: LayoutImage,
  options: WriteLayoutOptions = {},
): Promise<WrittenLayout> {
  throwIfAborted(options.signal);
  const target = resolve(path);
  const whole = kind === "docker-tar" ? image : withOciTypes(image);
  const written =
    kind === "oci-dir"
      ? await writeFolder(target, whole, options)
      : await writeTar(target, kind === "oci-tar" ? ociFiles(whole) : dockerFiles(whole), options);
  return { path: target, digest: digestOf(whole.manifest.body), ...written };
}

async function writeTar(
  path: string,
  entries: readonly ArchiveEntry[],
  { onProgress, signal }: WriteLayoutOptions,
): Promise<{ bytesWritten: number; bytesKept: number }> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) {
    throw new UserError("files_exist", `${path} is a folder.`, {
      hint: "Name the file that the image goes to, or choose oci-dir.",
    });
  }
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  let bytesWritten = 0;
  const counter = new PassThrough();
  counter.on("data", (chunk: Buffer) => {
    bytesWritten += chunk.length;
    onProgress?.(bytesWritten);
  });
  try {
    await pipeline(packed(entries), counter, createWriteStream(beside, { flags: "wx" }), {
      ...(signal && { signal }),
    });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw signal?.aborted ? interrupted() : writeError(error, path);
  }
  return { bytesWritten, bytesKept: 0 };
}
