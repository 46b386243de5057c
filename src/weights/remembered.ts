import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const entry = z.object({
  /** Of the file or files when they were read; the digests are those of no other identity. */
  identity: z.string(),
  digest,
  /** Of a layer: those of its files. */
  files: z.array(digest).optional(),
});

export type Remembered = z.infer<typeof entry>;

const document = z.record(z.string(), entry);

/** Digests that are kept; a layer counts with those of its files. */
const most = 10_000;
const mostBytes = 16 * 1024 * 1024;

/** What an earlier process wrote, the oldest first; a file that is not ours to understand counts as empty. */
export async function readRemembered(path: string): Promise<Map<string, Remembered>> {
  try {
    if ((await stat(path)).size > mostBytes) return new Map();
    return new Map(Object.entries(document.parse(JSON.parse(await readFile(path, "utf8")))));
  } catch {
    return new Map();
  }
}

/** Adds to what is there by now: another process may have written meanwhile. */
export async function writeRemembered(path: string, added: ReadonlyMap<string, Remembered>): Promise<void> {
  const all = await readRemembered(path);
  for (const [name, one] of added) {
    all.delete(name); // so that it is the newest
    all.set(name, one);
  }
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${randomUUID()}`;
  try {
    await writeFile(beside, JSON.stringify(Object.fromEntries(newest(all))));
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function newest(all: ReadonlyMap<string, Remembered>): [string, Remembered][] {
  let room = most;
  const kept = [...all].reverse().filter(([, { files }], index) => {
    room -= 1 + (files?.length ?? 0);
    return room >= 0 || index === 0;
  });
  return kept.reverse();
}
