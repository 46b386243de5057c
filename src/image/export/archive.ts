import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { isUserError, messageOf } from "../../errors.js";
import { unreadable } from "./manifest.js";

/** A file of an archive that engines save images to, of the kinds that are of use. */
export type ArchiveFile =
  /** `manifest.json` or `index.json`. */
  | { kind: "list"; name: string }
  /** `<hex>.json`: a configuration. */
  | { kind: "config"; name: string; digest: string }
  /** `blobs/sha256/<hex>` */
  | { kind: "blob"; name: string; digest: string }
  /** `<hex>/layer.tar` or `<hex>.tar`; the name says nothing about the bytes. */
  | { kind: "layer"; name: string };

const mostEntries = 10_000;

/**
 * Reads an archive as it comes. Files of no use, links and whatever else there may be are passed over. `take` has to
 * read each file that it is given to its end.
 */
export async function readArchive(
  archive: Readable,
  take: (file: ArchiveFile, bytes: AsyncIterable<Buffer>, size: number) => Promise<void>,
): Promise<void> {
  const tar = extract();
  let broken: { error: unknown } | undefined;
  // What the engine's answer ended with comes first: the tar only notices that it ended.
  archive.once("error", (error) => {
    broken = { error };
  });
  const fed = pipeline(archive, tar as unknown as Writable);
  fed.catch(() => {});
  let entries = 0;
  let ours: { error: unknown } | undefined;
  const taken = async (file: ArchiveFile, entry: AsyncIterable<Buffer>, size: number) => {
    let whole = true;
    const bytes = noting(entry, () => {
      whole = false;
    });
    await take(file, bytes, size).catch((error) => {
      if (whole) ours = { error };
      throw error;
    });
  };
  try {
    for await (const entry of tar) {
      if (++entries > mostEntries) throw unreadable(`Its archive has more than ${mostEntries} entries.`);
      const { name, type, size = 0 } = entry.header;
      const file = type === "file" ? fileOf(name) : undefined;
      if (file === undefined) {
        entry.resume();
        continue;
      }
      await taken(file, entry as AsyncIterable<Buffer>, size);
    }
    await fed;
  } catch (error) {
    tar.destroy();
    archive.destroy();
    await fed.catch(() => {});
    if (ours) throw ours.error;
    if (broken) throw broken.error;
    throw isUserError(error) ? error : unreadable(`Its archive is no whole tar (${messageOf(error)}).`);
  }
}

function fileOf(name: string): ArchiveFile | undefined {
  if (name === "manifest.json" || name === "index.json") return { kind: "list", name };
  const [, blob] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
  if (blob !== undefined) return { kind: "blob", name, digest: `sha256:${blob}` };
  const [, config] = /^([0-9a-f]{64})\.json$/.exec(name) ?? [];
  if (config !== undefined) return { kind: "config", name, digest: `sha256:${config}` };
  return /^[0-9a-f]{64}(\/layer)?\.tar$/.test(name) ? { kind: "layer", name } : undefined;
}

async function* noting(bytes: AsyncIterable<Buffer>, failed: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of bytes) yield chunk;
  } catch (error) {
    failed();
    throw error;
  }
}
