import { availableParallelism } from "node:os";
import { throwIfAborted } from "../errors.js";
import type { BlobReading } from "../registry/blob.js";
import { ContentHashes } from "./content-hashes.js";
import { type KnownFile, Tape } from "./tape.js";
import { Turns } from "./turns.js";

/** What a whole reading found out. */
export interface Learned {
  /** `sha256:<hex>` of all of it. */
  digest: string;
  /** `sha256:<hex>` of the wanted files. */
  files: ReadonlyMap<KnownFile, string>;
  /** False where a file was written to so recently that a further change might not show. */
  settled: boolean;
}

export interface ReadOptions {
  /** Where the pieces begin. */
  from: number;
  /** Where it is known nothing is hashed, and nothing before `from` is read. */
  digest?: string | undefined;
  /** Whose own digest is to be learned. */
  wanted: (file: KnownFile) => boolean;
  /** Awaited before the last piece goes out. */
  learn: (learned: Learned) => Promise<void>;
}

/** Smaller ones cost more in calls and messages than they save in memory. */
const pieceBytes = 1024 * 1024;
/** One is with the consumer and one is being read; two more are with the hashers. */
const pieces = { plain: 2, hashed: 4 };

/**
 * Reads bytes and files one after the other, the next piece while the consumer has this one. Hashes are computed off
 * the main thread meanwhile. Nothing is opened before the first piece is asked for; a consumer that stops early
 * releases everything.
 */
export function read(parts: readonly (Buffer | KnownFile)[], options: ReadOptions): BlobReading {
  let settle: { resolve: (digest: string) => void; reject: (error: unknown) => void } | undefined;
  const digest = new Promise<string>((resolve, reject) => {
    settle = { resolve, reject };
  });
  digest.catch(() => {}); // who reads the pieces gets the error there
  async function* chunks(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* readPieces(parts, options, (found) => settle?.resolve(found));
    } catch (error) {
      settle?.reject(error);
      throw error;
    } finally {
      settle?.reject(new Error("the reading was stopped before its end"));
    }
  }
  const running = chunks();
  return { digest, [Symbol.asyncIterator]: () => running };
}

export interface Watch {
  signal?: AbortSignal | undefined;
  /** Bytes of a piece that was read. */
  onBytes?: ((count: number) => void) | undefined;
}

/** Files that are read for their digests only; more at once would cost memory and gain nothing. */
const turns = new Turns(Math.min(4, availableParallelism()));

export function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  return turns.take(work);
}

/** Reads to the end and returns the digest. */
export async function readThrough(reading: BlobReading, { signal, onBytes }: Watch = {}): Promise<string> {
  for await (const piece of reading) {
    throwIfAborted(signal);
    onBytes?.(piece.length);
  }
  return reading.digest;
}

async function* readPieces(
  parts: readonly (Buffer | KnownFile)[],
  { from, digest, wanted, learn }: ReadOptions,
  found: (digest: string) => void,
): AsyncGenerator<Buffer, void, void> {
  const size = parts.reduce((sum, part) => sum + (Buffer.isBuffer(part) ? part.length : part.size), 0);
  const start = digest === undefined ? 0 : from;
  const length = Math.min(pieceBytes, Math.max(1, size - start));
  const most = digest === undefined ? pieces.hashed : pieces.plain;
  const slots = Math.min(most, Math.ceil((size - start) / length));
  const memory = new SharedArrayBuffer(length * slots);
  const tape = new Tape(parts, start);
  const hashes = digest === undefined ? new ContentHashes(memory, wanted) : undefined;
  const hashed: Promise<void>[] = [];
  const fill = async (number: number): Promise<Buffer> => {
    const at = (number % slots) * length;
    await hashed[number % slots];
    const slot = Buffer.from(memory, at, length);
    const filled = await tape.fill(slot);
    if (hashes) {
      const hashing = hashes.update({ at, length: filled.length, last: tape.ended }, filled.cuts);
      hashing.catch(() => {}); // it is awaited before the slot is filled again, and at the end
      hashed[number % slots] = hashing;
    }
    return slot.subarray(0, filled.length);
  };

  const finish = async (): Promise<void> => {
    if (!hashes) return found(digest ?? "");
    await Promise.all(hashed);
    await learn({ digest: hashes.whole, files: hashes.files, settled: tape.settled });
    found(hashes.whole);
  };

  let position = start;
  let next = tape.ended ? undefined : fill(0);
  try {
    for (let number = 1; next; number++) {
      const piece: Buffer = await next;
      next = tape.ended ? undefined : fill(number);
      next?.catch(() => {}); // thrown where it is awaited, which may be much later or never
      if (!next) await finish();
      const skipped = Math.max(0, from - position);
      position += piece.length;
      if (skipped < piece.length) yield piece.subarray(skipped);
    }
    if (size === start) await finish();
  } finally {
    await next?.catch(() => {});
    await tape.close();
    hashes?.close();
  }
}
