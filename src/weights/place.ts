import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode, UserError } from "../errors.js";
import { tarParts } from "./tar.js";
import type { UnpackedFile } from "./unpack.js";
import { writeError } from "./write-error.js";

/** Gives unpacked files their names below a folder. A link on the way is refused, it may lead elsewhere. */
export async function placeFiles(folder: string, files: readonly UnpackedFile[]): Promise<void> {
  for (const { path, staged } of files) {
    const target = join(folder, path);
    try {
      await makeParents(folder, path);
      await rename(staged, target);
    } catch (error) {
      throw writeError(error, target);
    }
  }
}

async function makeParents(folder: string, path: string): Promise<void> {
  const parts = path.split("/").slice(0, -1);
  for (let depth = 1; depth <= parts.length; depth++) {
    const parent = join(folder, ...parts.slice(0, depth));
    await mkdir(parent).catch((error: unknown) => {
      if (systemCode(error) !== "EEXIST") throw error;
    });
    if ((await lstat(parent)).isDirectory()) continue;
    throw new UserError("file_failed", `${parent} is in the way of ${join(folder, path)}.`, {
      why: "It is no folder; a link could lead out of the folder that was named.",
      hint: "Move it away, or choose another folder.",
    });
  }
}

export interface PlacedFile {
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` of the file. */
  digest: string;
  /** `sha256:<hex>` of the layer that it would be by itself, where that was asked for. */
  layer: string | undefined;
}

/**
 * A file that is there already; it is read whole where its size may be right. A link is none. `inLayer` is its absolute
 * path in the container, where it may have a layer to itself.
 */
export async function readPlaced(
  folder: string,
  { path, size, inLayer }: { path: string; size?: number | undefined; inLayer?: string | undefined },
): Promise<PlacedFile | undefined> {
  const file = join(folder, path);
  if (!(await hasPlainParents(folder, path))) return undefined;
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const state = await handle.stat();
    if (!state.isFile() || (size !== undefined && state.size !== size)) return undefined;
    const own = createHash("sha256");
    const mode = state.mode & 0o111 ? 0o755 : 0o644;
    const around = tarParts([{ path: (inLayer ?? "/").slice(1), size: state.size, mode }]).filter(
      Buffer.isBuffer,
    );
    const layer = createHash("sha256").update(around[0] ?? "");
    for await (const chunk of handle.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false })) {
      own.update(chunk as Buffer);
      if (inLayer !== undefined) layer.update(chunk as Buffer);
    }
    layer.update(around[1] ?? "");
    return {
      size: state.size,
      digest: `sha256:${own.digest("hex")}`,
      layer: inLayer === undefined ? undefined : `sha256:${layer.digest("hex")}`,
    };
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

async function hasPlainParents(folder: string, path: string): Promise<boolean> {
  for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
    const state = await lstat(join(folder, parent)).catch(() => undefined);
    if (!state?.isDirectory()) return false;
  }
  return true;
}
