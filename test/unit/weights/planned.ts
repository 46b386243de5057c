import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Digests } from "../../../src/weights/digests.js";
import { type Layer, type OpenOptions, openLayers } from "../../../src/weights/layer.js";
import { type PlannedFile, planLayers } from "../../../src/weights/layers.js";

/** Files of a folder as they would lie below app/model of a container. */
export async function planned(folder: string, paths: readonly string[]): Promise<PlannedFile[]> {
  return Promise.all(
    paths.map(async (path) => {
      const file = join(folder, path);
      const { size, mode } = await stat(file);
      return { path: `app/model/${path}`, file, size, mode: mode & 0o111 ? 0o755 : 0o644 } as const;
    }),
  );
}

/** The one layer that these files make. */
export async function oneLayer(
  folder: string,
  paths: readonly string[],
  digests = new Digests(join(folder, ".cache/digests.json"), new Map()),
  options: OpenOptions = {},
): Promise<Layer> {
  const [layer, ...others] = await openLayers(planLayers(await planned(folder, paths)), digests, options);
  if (!layer || others.length > 0) throw new Error("these files make more than one layer, or none");
  return layer;
}

export async function bytesOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

/** Where the bytes themselves would be too many to print when the reading should have failed. */
export async function lengthOf(pieces: AsyncIterable<Buffer>): Promise<number> {
  let length = 0;
  for await (const piece of pieces) length += piece.length;
  return length;
}
