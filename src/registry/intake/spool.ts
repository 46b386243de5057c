import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Blob } from "../blob.js";
import { fileBlob } from "../file-blob.js";
import { isLeftOver, ownName } from "./owner.js";

export interface SpoolFile {
  path: string;
  /** Bytes. */
  size: number;
}

/** A configuration is a small document; nothing larger is read into memory. */
const largestDocument = 4 * 1024 * 1024;
const unfinished = "part-";

/**
 * A folder of blobs, each in a file that is called by its SHA-256. Several processes may use one at the same time: what
 * is not whole yet has a name of its own.
 */
export class Spool {
  readonly folder: string;
  /** Files whose digest was checked, by us or as they came in. */
  private readonly checked = new Map<string, Promise<SpoolFile | undefined>>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder, and removes what processes that have ended left unfinished. */
  static async open(folder: string): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      if (name.startsWith(unfinished) && isLeftOver(name.slice(unfinished.length)))
        await rm(join(folder, name), { force: true });
    }
    return new Spool(folder);
  }

  /** A name for a blob that is still being written. */
  partPath(): string {
    return join(this.folder, unfinished + ownName());
  }

  pathOf(digest: string): string {
    return join(this.folder, digest.slice("sha256:".length));
  }

  /** To be told of a blob that was just written under its name, its digest checked. */
  added(digest: string, size: number): void {
    this.checked.set(digest, Promise.resolve({ path: this.pathOf(digest), size }));
  }

  /** The file of a blob; one that an earlier run left is read and checked first, and removed when it is wrong. */
  find(digest: string): Promise<SpoolFile | undefined> {
    if (!isSpoolDigest(digest)) return Promise.resolve(undefined);
    const known = this.checked.get(digest);
    if (known) return known;
    const found = this.check(digest);
    this.checked.set(digest, found);
    found.then(
      (file) => file === undefined && this.checked.delete(digest),
      () => this.checked.delete(digest),
    );
    return found;
  }

  /** A blob as JSON, where it is small and such a document. */
  async document(digest: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const file = await this.find(digest);
    if (file === undefined || file.size > largestDocument) return undefined;
    try {
      const value: unknown = JSON.parse(await readFile(file.path, "utf8"));
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      return isObject ? (value as Record<string, unknown>) : undefined;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Removes the blobs that were written longest ago, until no more than this many bytes are kept. */
  async trim(mostBytes: number): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => !name.startsWith(unfinished));
    const files = await Promise.all(
      names.map(async (name) => ({ name, info: await stat(join(this.folder, name)).catch(() => undefined) })),
    );
    files.sort((one, other) => (other.info?.mtimeMs ?? 0) - (one.info?.mtimeMs ?? 0));
    let kept = 0;
    for (const { name, info } of files) {
      kept += info?.size ?? 0;
      if (kept <= mostBytes) continue;
      this.checked.delete(`sha256:${name}`);
      await rm(join(this.folder, name), { force: true });
    }
  }

  private async check(digest: string): Promise<SpoolFile | undefined> {
    const path = this.pathOf(digest);
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) return undefined;
    const facts = { title: path, mediaType: "application/octet-stream", size: info.size, digest };
    // What cannot be read is as good as gone.
    const found = await hashOf(fileBlob(path, facts)).catch(() => undefined);
    if (found === digest) return { path, size: info.size };
    await rm(path, { force: true });
    return undefined;
  }
}

async function hashOf(blob: Blob): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of blob.open()) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** Blobs are files here, so their digests have to be what a file may safely be called by. */
export function isSpoolDigest(digest: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(digest);
}
