import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder } from "../../cache.js";

/** An upload that was begun: enough to go on with it in another process. It holds no login. */
export interface UploadState {
  /** Where it goes on. It may hold a token of the upload itself, so the file is for its owner's eyes only. */
  location: string;
  /** Bytes that the registry has. */
  offset: number;
  /** Bytes of the blob. */
  size: number;
}

/** What an upload is of, and where to. */
export interface UploadKey {
  registry: string;
  repository: string;
  identity: string;
}

const longestLife = 24 * 60 * 60 * 1000;
const claimed = new Set<string>();

/**
 * The uploads that are under way or broke off. A file belongs to the process whose number is in its name; one without
 * a number, or of a process that is gone, is free. A folder that cannot be written costs time, not correctness.
 */
export class UploadsFolder {
  private readonly folder: string;

  constructor(env: NodeJS.ProcessEnv) {
    this.folder = join(cacheFolder(env), "uploads");
  }

  /** Makes one upload this process's own; `undefined` when another is at it. */
  async claim(key: UploadKey): Promise<ClaimedUpload | undefined> {
    const text = [key.registry, key.repository, key.identity].join("\n");
    const free = join(this.folder, createHash("sha256").update(text).digest("hex").slice(0, 40));
    const own = `${free}.${process.pid}`;
    if (claimed.has(own)) return undefined;
    claimed.add(own);
    await this.tidy();
    for (const candidate of [own, free, ...(await this.abandoned(free))]) {
      try {
        await rename(candidate, own);
        return new ClaimedUpload(free, own, await readState(own));
      } catch {
        // Not there, or somebody else was quicker.
      }
    }
    return new ClaimedUpload(free, own, undefined);
  }

  private async abandoned(free: string): Promise<string[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names
      .map((name) => join(this.folder, name))
      .filter((path) => path.startsWith(`${free}.`) && !isAlive(Number(path.slice(free.length + 1))));
  }

  private async tidy(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 }).catch(() => {});
    for (const name of await readdir(this.folder).catch(() => [])) {
      const path = join(this.folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > longestLife) await rm(path, { force: true }).catch(() => {});
    }
  }
}

export class ClaimedUpload {
  /** How far an earlier process came. */
  readonly state: UploadState | undefined;
  private readonly free: string;
  private readonly own: string;
  private kept = false;

  constructor(free: string, own: string, state: UploadState | undefined) {
    this.free = free;
    this.own = own;
    this.state = state;
    this.kept = state !== undefined;
  }

  /** Whether another process could go on. */
  get isKept(): boolean {
    return this.kept;
  }

  /** Notes how far it has come. */
  async keep(state: UploadState): Promise<void> {
    const beside = join(dirname(this.own), `new-${basename(this.own)}`);
    try {
      await writeFile(beside, JSON.stringify(state), { mode: 0o600 });
      await rename(beside, this.own);
      this.kept = true;
    } catch {
      this.kept = false;
    }
  }

  /** The upload is finished, or of no more use. */
  async forget(): Promise<void> {
    this.kept = false;
    await rm(this.own, { force: true }).catch(() => {});
  }

  /** Lets somebody else go on. */
  async release(): Promise<void> {
    if (this.kept) await rename(this.own, this.free).catch(() => {});
    claimed.delete(this.own);
  }
}

function isAlive(pid: number): boolean {
  // Of our own number and not in `claimed`: it is of a process before us.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

async function readState(path: string): Promise<UploadState | undefined> {
  const value: unknown = JSON.parse(await readFile(path, "utf8").catch(() => "null"));
  if (typeof value !== "object" || value === null) return undefined;
  const { location, offset, size } = value as Partial<Record<keyof UploadState, unknown>>;
  const sound =
    typeof location === "string" &&
    URL.canParse(location) &&
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(size);
  return sound ? { location, offset: offset as number, size: size as number } : undefined;
}
