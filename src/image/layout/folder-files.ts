import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type LayoutFiles, noLayout } from "./files.js";
import { readPart } from "./read-part.js";

/** A layout in a folder. Links are refused: they could show files of this machine that are no image's. */
export class FolderFiles implements LayoutFiles {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async size(name: string): Promise<number | undefined> {
    for (let parent = dirname(name); parent !== "."; parent = dirname(parent)) {
      const folder = await lstat(join(this.path, parent)).catch(() => undefined);
      if (!folder?.isDirectory()) return undefined;
    }
    const file = await lstat(join(this.path, name)).catch(() => undefined);
    return file?.isFile() ? file.size : undefined;
  }

  async *read(name: string, from = 0): AsyncGenerator<Buffer> {
    const size = await this.size(name);
    if (size === undefined) throw noLayout(this.path, `It lacks ${name}.`);
    let file: FileHandle | undefined;
    try {
      file = await open(join(this.path, name), constants.O_RDONLY | constants.O_NOFOLLOW);
      yield* readPart(file, this.path, { start: 0, size, from });
    } finally {
      await file?.close();
    }
  }

  async close(): Promise<void> {}
}
