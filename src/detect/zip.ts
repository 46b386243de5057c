import { Readable } from "node:stream";
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from "yauzl";
import { messageOf, throwIfAborted, UserError } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { SourceFile } from "./source.js";

/** A model has a few thousand entries at most: one for each tensor. */
const mostEntries = 50_000;
/** Names of all entries together, as these are what is kept. */
const mostNameBytes = 16 * 1024 * 1024;
/** Honest weights and JSON stay far below; deflate itself ends at about 1,030. */
const highestRatio = 200;
/** Below this size, the ratio says nothing: a small file of zeros is honest. */
const ratioMatters = 1024 * 1024;

/** The entries of a zip file by name. Where a name is there twice, the last one counts, as for Python's readers. */
export class ZipArchive {
  readonly names: readonly string[];
  readonly #file: SourceFile;
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(file: SourceFile, zip: ZipFile, entries: ReadonlyMap<string, Entry>) {
    this.#file = file;
    this.#zip = zip;
    this.#entries = entries;
    this.names = [...entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Of the content, as the directory of the zip file states it. */
  sizeOf(name: string): number | undefined {
    return this.#entries.get(name)?.uncompressedSize;
  }

  /** The whole content of an entry. Throws UserError `model_file` when it is larger than `limit`. */
  async read(name: string, limit: number): Promise<Buffer> {
    return await this.cursor(name, limit, async (cursor, size) => {
      const bytes = await cursor.bytes(size, limit);
      // Only the end of the stream tells whether there is more than the directory states
      if (await cursor.ensure(1))
        throw damaged(this.#file.path, `${name} is larger than the zip file states.`);
      return bytes;
    });
  }

  /** Lets `use` go through the content of an entry, of which `limit` bytes may come out. */
  async cursor<T>(
    name: string,
    limit: number,
    use: (cursor: ByteCursor, size: number) => Promise<T>,
  ): Promise<T> {
    const entry = this.#entries.get(name);
    if (!entry) throw damaged(this.#file.path, `It has no ${name}.`);
    const size = entry.uncompressedSize;
    if (size > ratioMatters && size > entry.compressedSize * highestRatio) {
      throw damaged(this.#file.path, `${name} would inflate from ${entry.compressedSize} to ${size} bytes.`);
    }
    let stream: Readable;
    try {
      stream = await this.#zip.openReadStreamPromise(entry);
    } catch (error) {
      throw notReadable(this.#file, error);
    }
    try {
      return await use(ByteCursor.ofStream(this.#file.path, stream, limit), size);
    } finally {
      stream.on("error", () => {}); // what comes after the last interest in it
      stream.destroy();
    }
  }
}

const archives = new WeakMap<SourceFile, Promise<ZipArchive>>();

export function isZip(file: SourceFile): boolean {
  return file.head.length >= 4 && file.head.readUInt32LE(0) === 0x04034b50;
}

/** The directory of a zip file, read once for all who ask. Throws UserError `model_file` when it is broken. */
export function zipOf(file: SourceFile, signal?: AbortSignal): Promise<ZipArchive> {
  const known = archives.get(file);
  if (known) return known;
  const archive = openZip(file, signal);
  archive.catch(() => {}); // whoever asked gets it
  archives.set(file, archive);
  return archive;
}

async function openZip(file: SourceFile, signal: AbortSignal | undefined): Promise<ZipArchive> {
  let zip: ZipFile;
  try {
    zip = await fromRandomAccessReaderPromise(new FileReader(file), file.size, {
      lazyEntries: true,
      autoClose: false,
      strictFileNames: false,
    });
  } catch (error) {
    throw notReadable(file, error);
  }
  if (zip.entryCount > mostEntries) {
    throw damaged(file.path, `It claims ${zip.entryCount} entries, and ${mostEntries} are the most.`);
  }
  const entries = new Map<string, Entry>();
  let nameBytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      throwIfAborted(signal);
      nameBytes += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      if (nameBytes > mostNameBytes) throw damaged(file.path, "The names of its entries are too long.");
      entries.set(entry.fileName, entry);
    }
  } catch (error) {
    throw notReadable(file, error);
  }
  return new ZipArchive(file, zip, entries);
}

function notReadable(file: SourceFile, error: unknown): Error {
  if (error instanceof UserError) return error;
  return damaged(file.path, `Its zip structure is broken: ${messageOf(error)}.`, error);
}

/** Lets yauzl read from a SourceFile, a window at a time: it asks for each entry's few bytes on their own. */
class FileReader extends RandomAccessReader {
  readonly #file: SourceFile;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: SourceFile) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#bytes(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset);
        callback(null);
      },
      (error) => callback(error),
    );
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#file.chunks(start, end), { objectMode: false });
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    const from = position - this.#start;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    if (position + length > this.#file.size)
      throw damaged(this.#file.path, "Its zip structure ends too early.");
    const wanted = Math.max(length, Math.min(65_536, this.#file.size - position));
    this.#window = await this.#file.bytes(position, wanted);
    this.#start = position;
    return this.#window.subarray(0, length);
  }
}
