import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { messageOf, systemCode, UserError } from "../errors.js";
import { damaged } from "./damaged.js";

/** What `recognises` may look at without reading: enough for every magic number. */
const headLength = 65_536;

/** No reader needs more at once; a larger wish comes from a number in the file. */
const mostAtOnce = 64 * 1024 * 1024;

/** Neither of these may block, nor make a terminal ours (the constants are missing on Windows). */
const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** A regular file, open for reading by offset. Nothing is read that was not asked for. */
export class SourceFile {
  readonly path: string;
  readonly size: number;
  /** The first 64 KiB, or all of a smaller file. */
  readonly head: Buffer;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, head: Buffer, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.head = head;
    this.#handle = handle;
  }

  /** Throws UserError `model_file` for what is no readable regular file; never waits for a writer. */
  static async open(path: string): Promise<SourceFile> {
    // Before the opening, as opening a device can already do something
    requireFile(path, await statOf(path));
    let handle: FileHandle;
    try {
      handle = await open(path, openFlags);
    } catch (error) {
      throw unreadable(path, error);
    }
    try {
      const stats = await handle.stat();
      requireFile(path, stats);
      const head = Buffer.alloc(Math.min(headLength, stats.size));
      const length = await readFully(handle, head, 0);
      return new SourceFile(path, stats.size, head.subarray(0, length), handle);
    } catch (error) {
      await handle.close();
      throw error instanceof UserError ? error : unreadable(path, error);
    }
  }

  /** Exactly these bytes. Throws UserError `model_file` when the file does not hold them. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw damaged(this.path, "A position in it is out of all bounds.");
    }
    if (offset + length > this.size) {
      throw damaged(
        this.path,
        `It ends after ${this.size} bytes, and its content goes on until ${offset + length}.`,
      );
    }
    if (length > mostAtOnce) throw damaged(this.path, `One part of it claims ${length} bytes.`);
    if (offset + length <= this.head.length) return this.head.subarray(offset, offset + length);
    const buffer = Buffer.allocUnsafe(length);
    let read: number;
    try {
      read = await readFully(this.#handle, buffer, offset);
    } catch (error) {
      throw unreadable(this.path, error);
    }
    if (read < length) throw damaged(this.path, "It became shorter while it was read.");
    return buffer;
  }

  /** The bytes from `start` to before `end`, in pieces. */
  async *chunks(start = 0, end = this.size): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += headLength)
      yield await this.bytes(at, Math.min(headLength, end - at));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** `stat` whose failures are the user's. */
export async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function requireFile(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  throw new UserError("model_file", `${basename(path)} is no model file.`, {
    why: `It is ${typeName(stats)}, and only regular files and folders are read.`,
    hint: "Give the path of the model's file or folder.",
  });
}

function typeName(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

function unreadable(path: string, error: unknown): UserError {
  const whys: Readonly<Record<string, string>> = {
    ENOENT: "There is nothing at this path, or a link leads to nothing.",
    ENOTDIR: "A part of the path is a file, not a folder.",
    ELOOP: "Its symbolic links lead in a circle.",
    EACCES: "You may not read it.",
    EPERM: "You may not read it.",
    ENAMETOOLONG: "The path is too long.",
    ERR_INVALID_ARG_VALUE: "The path holds a character that no path may hold.",
  };
  return new UserError("model_file", `${basename(path)} cannot be read.`, {
    why: whys[systemCode(error) ?? ""] ?? messageOf(error),
    hint: "Check the path and your permissions.",
    cause: error,
  });
}

/** Reads until the buffer is full or the file ends; one read may give less than was asked for. */
async function readFully(handle: FileHandle, buffer: Buffer, offset: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
