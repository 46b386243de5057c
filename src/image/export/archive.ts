import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { messageOf } from "../../errors.js";
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
  let taking = false;
  try {
    for await (const entry of tar) {
      if (++entries > mostEntries) throw unreadable(`Its archive has more than ${mostEntries} entries.`);
      const { name, type, size = 0 } = entry.header;
      const file = type === "file" ? fileOf(name) : undefined;
      if (file === undefined) {
        entry.resume();
        continue;
      }
      taking = true;
      await take(file, entry as AsyncIterable<Buffer>, size);
      taking = false;
    }
    await fed;
  } catch (error) {
    tar.destroy();
    archive.destroy();
    await fed.catch(() => {});
    if (broken) throw broken.error;
    throw taking || !isTarError(error) ? error : unreadable(`Its archive is no tar (${messageOf(error)}).`);
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

function isTarError(error: unknown): boolean {
  return /header|Unexpected end of data|premature/i.test(messageOf(error));
}
