import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { UserError } from "../../errors.js";
import type { ContextFile } from "../context-file.js";
import type { PathFilter } from "./path-patterns.js";
import { MessageWriter } from "./protobuf.js";

/** A folder or file as it is announced to the engine. */
export interface TreeEntry {
  path: string;
  /** `undefined` for a folder. */
  file: ContextFile | undefined;
}

/** 2020-01-01T00:00:00Z. Every file of every image gets it, so that a layer depends on contents only. */
const fixedSeconds = 1_577_836_800n;
/** Go's os.ModeDir. */
const folderBit = 0x8000_0000;

/**
 * The wanted files with the folders above them, in the order that the protocol asks for: parents before children,
 * siblings by the bytes of their names.
 */
export function treeEntries(files: readonly ContextFile[], wanted: PathFilter): TreeEntry[] {
  const entries = new Map<string, TreeEntry>();
  for (const file of files) {
    if (!wanted(file.path)) continue;
    for (let at = file.path.indexOf("/"); at > 0; at = file.path.indexOf("/", at + 1)) {
      const path = file.path.slice(0, at);
      if (!entries.has(path)) entries.set(path, { path, file: undefined });
    }
    entries.set(file.path, { path: file.path, file });
  }
  return [...entries.values()].sort((one, other) => comparePaths(one.path, other.path));
}

/** By components: `a/b` comes before `a-b`, although "/" comes after "-". */
function comparePaths(one: string, other: string): number {
  // NUL is in no path and sorts first, as the end of a component must.
  return Buffer.compare(Buffer.from(one.replaceAll("/", "\0")), Buffer.from(other.replaceAll("/", "\0")));
}

/** The `Stat` message of an entry. Throws UserError `file_failed` when a file is gone or is not what was planned. */
export async function entryStat({ path, file }: TreeEntry): Promise<Buffer> {
  const stat = new MessageWriter().bytes(1, path);
  if (file === undefined)
    return stat
      .integer(2, folderBit + 0o755)
      .integer(6, fixedSeconds * 1_000_000_000n)
      .finish();
  return stat
    .integer(2, file.mode)
    .integer(5, file.size)
    .integer(6, fixedSeconds * 1_000_000_000n + (await changeMark(file)))
    .finish();
}

/**
 * The nanoseconds of the announced time. The engine fetches a file again only when its size or time differs from what
 * it keeps, so under one fixed time an edit that keeps the size would go unnoticed. Layers hold whole seconds: these
 * never get into an image.
 */
async function changeMark(file: ContextFile): Promise<bigint> {
  const hash = createHash("sha256");
  if ("bytes" in file.source) hash.update(file.source.bytes);
  else {
    const facts = await stat(file.source.file, { bigint: true }).catch((cause: unknown) => {
      throw unreadable(file, cause);
    });
    if (Number(facts.size) !== file.size || !facts.isFile()) throw changed(file);
    hash.update([facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join());
  }
  return BigInt(hash.digest().readUInt32BE(0) % 1_000_000_000);
}

/** A file that exists only here. */
export function bytesFile(path: string, bytes: Buffer): ContextFile {
  return { path, mode: 0o644, size: bytes.length, source: { bytes } };
}

export function unreadable(file: ContextFile, cause: unknown): UserError {
  const gone = (cause as { code?: unknown })?.code === "ENOENT";
  const message = gone
    ? `The file ${file.path} vanished while the image was being built.`
    : `The file ${file.path} could not be read.`;
  return new UserError("file_failed", message, {
    why: cause instanceof Error ? cause.message : String(cause),
    hint: gone ? "Build again once nothing else removes it." : "Check its permissions.",
    cause,
  });
}

export function changed(file: ContextFile): UserError {
  return new UserError("file_failed", `The file ${file.path} changed while the image was being built.`, {
    why: "Its size or time is not what it was when the build began.",
    hint: "Build again once nothing else writes to it.",
  });
}
