import { type FileHandle, open, stat } from "node:fs/promises";
import { changed, identityOf, isSettled, unreadable } from "./identity.js";

/** A file as it was when it was looked at. */
export interface KnownFile {
  /** Absolute. */
  file: string;
  /** Bytes. */
  size: number;
  /** `identityOf` its facts. */
  identity: string;
}

/** Throws UserError `file_failed` for what is no file, is gone, or may not be read. */
export async function lookAt(file: string): Promise<KnownFile> {
  try {
    // Opening a FIFO would wait for whoever writes to it.
    if (!(await stat(file)).isFile()) throw new Error("It is not a regular file.");
    const handle = await open(file, "r");
    const info = await handle.stat({ bigint: true }).finally(() => handle.close());
    return { file, size: Number(info.size), identity: identityOf(info) };
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A piece of a file within a filled buffer. */
export interface Cut {
  /** Which of the tape's files. */
  file: KnownFile;
  at: number;
  length: number;
  /** The file ends here. */
  last: boolean;
}

/**
 * Bytes and files, read one after the other as if they were one file. Throws UserError `file_failed`, naming the file,
 * when one cannot be read or is not what it was: it is looked at when it is opened, and again after its last byte.
 */
export class Tape {
  /** False once a file was read that was written to just before: a change during the reading might not show. */
  settled = true;
  private readonly parts: readonly (Buffer | KnownFile)[];
  private index = 0;
  private offset: number;
  private handle: FileHandle | undefined;

  constructor(parts: readonly (Buffer | KnownFile)[], from = 0) {
    this.parts = parts;
    this.offset = from;
    for (let part = parts[0]; part && this.offset >= sizeOf(part); part = parts[++this.index]) {
      this.offset -= sizeOf(part);
    }
  }

  get ended(): boolean {
    return this.index >= this.parts.length;
  }

  /** Fills the buffer, except at the end of the tape. */
  async fill(target: Buffer): Promise<{ length: number; cuts: Cut[] }> {
    const cuts: Cut[] = [];
    let length = 0;
    for (let part = this.parts[this.index]; part && length < target.length; part = this.parts[this.index]) {
      const count = Math.min(sizeOf(part) - this.offset, target.length - length);
      const ends = this.offset + count === sizeOf(part);
      if (Buffer.isBuffer(part)) part.copy(target, length, this.offset, this.offset + count);
      else {
        await this.read(part, target.subarray(length, length + count), ends);
        cuts.push({ file: part, at: length, length: count, last: ends });
      }
      length += count;
      this.offset = ends ? 0 : this.offset + count;
      if (ends) this.index++;
    }
    return { length, cuts };
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close();
  }

  private async read(file: KnownFile, target: Buffer, ends: boolean): Promise<void> {
    try {
      this.handle ??= await this.openAsKnown(file);
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await this.handle.read(target, done, target.length - done, this.offset + done);
        if (bytesRead === 0) throw changed(file.file);
        done += bytesRead;
      }
      if (!ends) return;
      if (identityOf(await this.handle.stat({ bigint: true })) !== file.identity) throw changed(file.file);
      await this.close();
    } catch (error) {
      throw unreadable(file.file, error);
    }
  }

  private async openAsKnown(file: KnownFile): Promise<FileHandle> {
    const handle = await open(file.file, "r");
    const info = await handle.stat({ bigint: true }).catch(async (error: unknown) => {
      await handle.close();
      throw error;
    });
    if (identityOf(info) !== file.identity) {
      await handle.close();
      throw changed(file.file);
    }
    this.settled &&= isSettled(info);
    return handle;
  }
}

function sizeOf(part: Buffer | KnownFile): number {
  return Buffer.isBuffer(part) ? part.length : part.size;
}
