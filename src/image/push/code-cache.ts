import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../cache.js";
import type { CodeImage } from "../graft/model.js";

const mostKept = 50;

/**
 * What code images look like in a registry, by their id on the engine. An engine that has pushed an image once need not
 * compress its layers again to tell.
 */
export class CodeCache {
  private readonly folder: string;

  constructor(env: NodeJS.ProcessEnv) {
    this.folder = join(cacheFolder(env), "code-images");
  }

  async find(imageId: string): Promise<CodeImage | undefined> {
    try {
      const { config, manifest } = JSON.parse(await readFile(this.path(imageId), "utf8")) as CodeImage;
      return Array.isArray(config.rootfs.diff_ids) && Array.isArray(manifest.layers)
        ? { config, manifest }
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** A folder that cannot be written costs time, not correctness. */
  async keep(imageId: string, { config, manifest }: CodeImage): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true });
      const path = this.path(imageId);
      const beside = `${path}.${process.pid}`;
      await writeFile(beside, JSON.stringify({ config, manifest }));
      await rename(beside, path);
      await this.forgetOldest();
    } catch {
      // The next push asks the engine again.
    }
  }

  private async forgetOldest(): Promise<void> {
    const names = await readdir(this.folder);
    if (names.length <= mostKept) return;
    const aged = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.folder, name))).mtimeMs })),
    );
    aged.sort((one, other) => other.at - one.at);
    for (const { name } of aged.slice(mostKept)) await unlink(join(this.folder, name));
  }

  private path(imageId: string): string {
    return join(this.folder, `${imageId.replace(/[^\w]/g, "-")}.json`);
  }
}
