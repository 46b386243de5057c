import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { UserError } from "../errors.js";

/** Digests of files, remembered across runs for files large enough that reading them again would be felt. */
export interface Digests {
  /** `sha256:<hex>` of the file's bytes. */
  of: (file: string) => Promise<string>;
  /** Writes what was learned; a cache that cannot be written is no error. */
  save: () => Promise<void>;
}

const worthRemembering = 1024 * 1024;

/** `env.XDG_CACHE_HOME/modelship/digests.json`, keyed by device, inode, size and both times of each file. */
export async function openDigests(env: NodeJS.ProcessEnv): Promise<Digests> {
  const path = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "modelship", "digests.json");
  const known = await readKnown(path);
  let changed = false;
  return {
    async of(file) {
      const before = await stat(file, { bigint: true });
      const identity = [before.dev, before.ino, before.size, before.mtimeNs, before.ctimeNs].join(":");
      const remembered = known.get(file);
      if (remembered?.identity === identity) return remembered.digest;
      const hash = createHash("sha256");
      await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
      const after = await stat(file, { bigint: true });
      if (after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
        throw new UserError("file_failed", `${file} changed while it was being read.`, {
          hint: "Wait until whatever writes it has finished, then start again.",
        });
      }
      const digest = `sha256:${hash.digest("hex")}`;
      if (before.size >= worthRemembering) {
        known.set(file, { identity, digest });
        changed = true;
      }
      return digest;
    },
    async save() {
      if (!changed) return;
      try {
        await mkdir(dirname(path), { recursive: true });
        const beside = `${path}.${process.pid}`;
        await writeFile(beside, JSON.stringify(Object.fromEntries(known)));
        await rename(beside, path);
      } catch {
        // A read-only home costs time, not correctness.
      }
    },
  };
}

async function readKnown(path: string): Promise<Map<string, { identity: string; digest: string }>> {
  try {
    return new Map(Object.entries(JSON.parse(await readFile(path, "utf8"))));
  } catch {
    return new Map();
  }
}
