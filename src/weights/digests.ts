import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheFolder } from "../cache.js";
import { inTurn, type Learned, read, readThrough } from "./reading.js";
import { type Remembered, readRemembered, writeRemembered } from "./remembered.js";
import { type KnownFile, lookAt, Tape } from "./tape.js";

/** Below this a file is read again faster than it would be looked up. */
const worthRemembering = 1024 * 1024;

/** Digests of files and layers, remembered across runs under `env.XDG_CACHE_HOME/modelship`. */
export async function openDigests(env: NodeJS.ProcessEnv): Promise<Digests> {
  const path = join(cacheFolder(env), "digests.json");
  return new Digests(path, await readRemembered(path));
}

/** What is remembered holds as long as device, inode, size and both times of the files are the same. */
export class Digests {
  private readonly path: string;
  private readonly known: Map<string, Remembered>;
  private readonly added = new Map<string, Remembered>();
  private saving: Promise<void> = Promise.resolve();

  constructor(path: string, known: Map<string, Remembered>) {
    this.path = path;
    this.known = known;
  }

  /** `sha256:<hex>` of the file's bytes. Throws UserError `file_failed`, naming the file. */
  async of(file: string): Promise<string> {
    const found = await lookAt(file);
    const remembered = this.recall(file, found.identity);
    if (remembered) return remembered.digest;
    if (found.size < worthRemembering) return inTurn(() => hashSmall(found));
    const learn = async ({ digest, settled }: Learned) => {
      if (settled) this.rememberFile(found, digest);
    };
    return inTurn(() => readThrough(read([found], { from: 0, wanted: () => false, learn })));
  }

  /** What is known of a file or a layer, if it is still what it was. */
  recall(name: string, identity: string): Remembered | undefined {
    const remembered = this.known.get(name);
    return remembered?.identity === identity ? remembered : undefined;
  }

  rememberFile({ file, size, identity }: KnownFile, digest: string): void {
    if (size >= worthRemembering) this.remember(file, { identity, digest });
  }

  remember(name: string, entry: Remembered): void {
    this.known.set(name, entry);
    this.added.set(name, entry);
  }

  /** Writes what was learned; a cache that cannot be written is no error. */
  save(): Promise<void> {
    this.saving = this.saving.then(async () => {
      if (this.added.size === 0) return;
      const added = new Map(this.added);
      this.added.clear();
      // A read-only home costs time, not correctness.
      await writeRemembered(this.path, added).catch(() => {});
    });
    return this.saving;
  }
}

/** By itself, as a thread would be slower to ask. */
async function hashSmall(file: KnownFile): Promise<string> {
  const tape = new Tape([file]);
  try {
    const bytes = Buffer.alloc(Math.max(1, file.size)); // an empty file is opened too
    const { length } = await tape.fill(bytes);
    return `sha256:${createHash("sha256").update(bytes.subarray(0, length)).digest("hex")}`;
  } finally {
    await tape.close();
  }
}
