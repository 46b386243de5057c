import { constants } from "node:fs";
import { chmod, copyFile, type FileHandle, open, rm } from "node:fs/promises";
import { messageOf, throwIfAborted, UserError } from "../errors.js";
import type { CopiedFile } from "./plan.js";

const chunkBytes = 8 * 1024 * 1024;

export interface CopyOptions {
  signal?: AbortSignal | undefined;
  /** Bytes since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Copies to a path where nothing is: at once where the file system shares blocks, otherwise piece by piece. */
export async function copyLarge(file: CopiedFile, target: string, options: CopyOptions): Promise<void> {
  throwIfAborted(options.signal);
  // Without blocking: what was a file may be a pipe by now.
  const source = await openSource(file.source);
  try {
    const there = await source.stat();
    if (!there.isFile()) throw new UserError("file_failed", `${file.source} is not a regular file any more.`);
    if (there.size !== file.size) throw changed(file);
    if (await shareBlocks(file, target)) options.onBytes?.(file.size);
    else await copyBytes(source, file, target, options);
  } finally {
    await source.close();
  }
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw new UserError("file_failed", `${path} cannot be read.`, {
      why: messageOf(error),
      hint: "Check its permissions.",
      cause: error,
    });
  }
}

/** Whether the file system could: btrfs, XFS and APFS can, within one volume. */
async function shareBlocks(file: CopiedFile, target: string): Promise<boolean> {
  try {
    await copyFile(file.source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    await chmod(target, file.mode);
    return true;
  } catch {
    await rm(target, { force: true });
    return false;
  }
}

async function copyBytes(
  source: FileHandle,
  file: CopiedFile,
  target: string,
  { signal, onBytes }: CopyOptions,
): Promise<void> {
  const handle = await open(target, "wx", file.mode);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(1, file.size)));
    let position = 0;
    while (position < file.size) {
      throwIfAborted(signal);
      const { bytesRead } = await source.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw changed(file);
      await handle.writeFile(buffer.subarray(0, bytesRead));
      position += bytesRead;
      onBytes?.(bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function changed(file: CopiedFile): UserError {
  return new UserError("file_failed", `${file.source} changed while it was copied.`, {
    hint: "Try again when nothing writes to it.",
  });
}
