import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode, throwIfAborted, UserError } from "../../errors.js";
import { writeError } from "../../weights/write-error.js";
import type { ArchiveEntry } from "../graft/thin-archive.js";
import { ociFiles } from "./archives.js";
import type { LayoutImage, WriteLayoutOptions } from "./content.js";
import { indexFile, layoutFile, readJson } from "./files.js";
import { FolderFiles } from "./folder-files.js";
import { indexDocument } from "./index-document.js";

const largestIndex = 4 * 1024 * 1024;

/** Adds an image to an OCI layout in a folder; index.json, which makes it part of the layout, comes last. */
export async function writeFolder(
  path: string,
  image: LayoutImage,
  { onProgress, signal }: WriteLayoutOptions,
): Promise<{ bytesWritten: number; bytesKept: number }> {
  const before = await layoutThere(path);
  const blobs = ociFiles(image).filter(({ name }) => name !== indexFile);
  let bytesWritten = 0;
  let bytesKept = 0;
  try {
    await mkdir(path, { recursive: true });
    for (const entry of blobs) {
      throwIfAborted(signal);
      await makeFolders(path, dirname(entry.name));
      if (await isThere(path, entry)) {
        bytesKept += sizeOf(entry);
        continue;
      }
      await writeBeside(path, entry, (bytes) => {
        throwIfAborted(signal);
        bytesWritten += bytes;
        onProgress?.(bytesWritten);
      });
    }
    const index = indexDocument(image.manifest, image.names, before);
    await writeBeside(path, { name: indexFile, content: index }, () => {});
  } catch (error) {
    throw writeError(error, path);
  }
  return { bytesWritten, bytesKept };
}

/** The index of a layout that is there; `undefined` where nothing is, or an empty folder. */
async function layoutThere(path: string): Promise<Record<string, unknown> | undefined> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "ENOTDIR") throw inTheWay(path, "It is a file.");
    throw writeError(error, path);
  }
  if (names.length === 0) return undefined;
  const files = new FolderFiles(path);
  if ((await files.size(layoutFile)) === undefined)
    throw inTheWay(path, "It is a folder with other things in it.");
  const index = await readJson(files, indexFile, largestIndex);
  // One that was broken off while it was first written has no index yet.
  return typeof index === "object" && index !== null ? (index as Record<string, unknown>) : undefined;
}

function inTheWay(path: string, why: string): UserError {
  return new UserError("files_exist", `${path} is no image layout.`, {
    why,
    hint: "Name a folder that is new, empty, or a layout.",
  });
}

/** Links are refused here: what is written there would go elsewhere. */
async function makeFolders(path: string, folder: string): Promise<void> {
  if (folder === ".") return;
  await makeFolders(path, dirname(folder));
  const made = join(path, folder);
  await mkdir(made, { recursive: true });
  if (!(await lstat(made)).isDirectory()) throw inTheWay(path, `${folder} is a link.`);
}

async function isThere(path: string, entry: ArchiveEntry): Promise<boolean> {
  const file = await lstat(join(path, entry.name)).catch(() => undefined);
  return file?.isFile() === true && file.size === sizeOf(entry);
}

function sizeOf({ content }: ArchiveEntry): number {
  return Buffer.isBuffer(content) ? content.length : content.size;
}

async function writeBeside(
  path: string,
  { name, content }: ArchiveEntry,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const target = join(path, name);
  const beside = join(dirname(target), `.${randomBytes(6).toString("hex")}`);
  try {
    if (Buffer.isBuffer(content)) await writeFile(beside, content, { flag: "wx" });
    else await writeChunks(beside, content.open(), onBytes);
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

async function writeChunks(
  path: string,
  chunks: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx");
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      onBytes(chunk.length);
    }
  } finally {
    await file?.close();
  }
}
