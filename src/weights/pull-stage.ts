import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode, UserError } from "../errors.js";
import { writeError } from "./write-error.js";

const folderName = ".modelship-pull";
/** Less than this is fetched again sooner than it is gone on with. */
const worthKeeping = 1024 * 1024;
const open = new Set<string>();

/**
 * Where the files of a pull are until their layers have proven right: in the folder that they go to, in a hidden one
 * that belongs to the process whose number is in its name. What a process that is gone has left there is gone on with.
 */
export class PullStage {
  private readonly root: string;
  private readonly own: string;

  private constructor(root: string, own: string) {
    this.root = root;
    this.own = own;
  }

  static async open(to: string): Promise<PullStage> {
    const root = join(to, folderName);
    const own = join(root, `${process.pid}-${randomBytes(4).toString("hex")}`);
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      if (!(await lstat(root)).isDirectory()) throw inTheWay(root);
      open.add(own);
      await mkdir(own, { mode: 0o700 });
    } catch (error) {
      open.delete(own);
      throw writeError(error, root);
    }
    const stage = new PullStage(root, own);
    await stage.takeOver();
    return stage;
  }

  /** The folder for a layer's files, and how much of the first one is there. */
  async folderFor(digest: string): Promise<{ folder: string; kept: number }> {
    const folder = this.pathOf(digest);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw writeError(error, folder);
    });
    const first = await lstat(join(folder, "0")).catch(() => undefined);
    return { folder, kept: first?.isFile() && first.size >= worthKeeping ? first.size : 0 };
  }

  async forget(digest: string): Promise<void> {
    await rm(this.pathOf(digest), { recursive: true, force: true });
  }

  /** Ends the stage; with `keep` what is worth it stays for whoever goes on. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    const kept = keep && (await this.tidy());
    if (!kept) await rm(this.own, { recursive: true, force: true }).catch(() => {});
    open.delete(this.own);
    // Others may be at work there, or have left something.
    await rmdir(this.root).catch(() => {});
  }

  /** Leaves only what is worth keeping; whether there is any. */
  private async tidy(): Promise<boolean> {
    let kept = false;
    for (const name of await readdir(this.own).catch(() => [])) {
      const first = await stat(join(this.own, name, "0")).catch(() => undefined);
      if (first && first.size >= worthKeeping) kept = true;
      else await rm(join(this.own, name), { recursive: true, force: true }).catch(() => {});
    }
    return kept;
  }

  private async takeOver(): Promise<void> {
    for (const name of await readdir(this.root).catch(() => [])) {
      const other = join(this.root, name);
      if (open.has(other) || isAlive(Number.parseInt(name, 10))) continue;
      for (const layer of await readdir(other).catch(() => [])) {
        // Of two that left the same layer the first counts.
        await rename(join(other, layer), join(this.own, layer)).catch(() => {});
      }
      await rm(other, { recursive: true, force: true }).catch(() => {});
    }
  }

  private pathOf(digest: string): string {
    return join(this.own, digest.replace(":", "-"));
  }
}

/** Another process of that number; of our own number and not open it is of a process before us. */
function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

function inTheWay(root: string): UserError {
  return new UserError("file_failed", `${root} is in the way.`, {
    why: "It is no folder.",
    hint: "Remove it, or choose another folder with --to.",
  });
}
