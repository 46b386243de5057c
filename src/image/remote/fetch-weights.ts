import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isUserError, UserError } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import { download, verified } from "../../registry/download.js";
import { pathBelow } from "../../weights/layer-path.js";
import { placeFiles, readPlaced } from "../../weights/place.js";
import type { PullStage } from "../../weights/pull-stage.js";
import { tarParts } from "../../weights/tar.js";
import { type UnpackedFile, unpackLayer } from "../../weights/unpack.js";
import type { RemoteFile, RemoteWeights } from "./weights.js";

export interface FetchedFile {
  /** Below the folder. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

export interface FetchWeights {
  client: RegistryClient;
  repository: string;
  /** What of the layers is the model: `app/model`; empty where all of them is. */
  root: string;
  /** The folder for the files. */
  to: string;
  stage: PullStage;
}

export interface FetchOptions {
  /** Bytes of the layer that are here, of which so many came over the wire just now. */
  onProgress: (current: number, received: number) => void;
  signal: AbortSignal;
}

/** The end of a tar, and what may fill up the last block of its file. */
const endBytes = 3 * 512;

/** A layer's files where all of them are there already, byte for byte. */
export async function placedFiles(
  { root, to }: FetchWeights,
  { layer, files, count }: RemoteWeights,
): Promise<FetchedFile[] | undefined> {
  if (files.length !== count) return undefined;
  const found: FetchedFile[] = [];
  for (const { path: inside, size: told, digest } of files) {
    const path = pathBelow(root, inside.slice(1));
    if (path === undefined || (digest === undefined && count !== 1)) return undefined;
    const file = await readPlaced(to, { path, size: told, inLayer: count === 1 ? inside : undefined });
    const isSame = count === 1 ? file?.layer === layer.digest : file?.digest === digest;
    if (!file || !isSame) return undefined;
    found.push({ path, size: file.size, digest: file.digest });
  }
  return found;
}

/** Brings a layer's files into the folder, going on with what an earlier pull has left of a layer with one file. */
export async function fetchWeights(
  fetch: FetchWeights,
  weights: RemoteWeights,
  options: FetchOptions,
): Promise<FetchedFile[]> {
  const { layer, files, count } = weights;
  const { stage, to, root } = fetch;
  const [first] = files;
  const head = count === 1 && first ? headerBytes(layer.size, first.path) : undefined;
  const { folder, kept } = await stage.folderFor(layer.digest);
  const left = head === undefined ? 0 : Math.min(kept, layer.size - head - endBytes);
  let current = 0;
  const noted = (bytes: number, received: number) => {
    current += bytes;
    options.onProgress(current, received);
  };
  try {
    const chunks = partly(
      fetch,
      weights,
      { head: head ?? 0, left, folder },
      { ...options, onProgress: noted },
    );
    const whole = verified(chunks, layer, fetch.client.registry);
    const unpacked = await unpackLayer(whole, { root, stage: folder, kept: left });
    if (count === files.length) checkTold(root, files, unpacked);
    await placeFiles(to, unpacked);
    return unpacked.map(({ path, size, digest }) => ({ path, size, digest }));
  } catch (error) {
    // A connection that ends leaves bytes that are right as far as they go.
    const wrong = isUserError(error) && error.code === "registry_failed" && current === layer.size;
    if (wrong || head === undefined) await stage.forget(layer.digest);
    // What was left may have been what was wrong.
    if (wrong && left > 0) return await fetchWeights(fetch, weights, options);
    throw error;
  }
}

/** Where the file begins in a layer of ours that holds only one: its headers follow from its path and its size. */
function headerBytes(layer: number, path: string): number | undefined {
  const [header] = tarParts([{ path: path.slice(1), size: layer, mode: 0o644 }]);
  return Buffer.isBuffer(header) && header.length < layer - endBytes ? header.length : undefined;
}

/** The layer's bytes: of its file what is here is taken from here. `onProgress` is told of each piece. */
async function* partly(
  { client, repository }: FetchWeights,
  { layer }: RemoteWeights,
  { head, left, folder }: { head: number; left: number; folder: string },
  { onProgress, signal }: FetchOptions,
): AsyncGenerator<Buffer> {
  const wire = async function* (from: number, to: number) {
    for await (const chunk of download(client, layer, { repository, from, to, signal })) {
      onProgress(chunk.length, chunk.length);
      yield chunk;
    }
  };
  if (left === 0) return yield* wire(0, layer.size);
  yield* wire(0, head);
  const file = await open(join(folder, "0"), constants.O_RDONLY | constants.O_NOFOLLOW);
  for await (const chunk of file.createReadStream({ end: left - 1 }) as AsyncIterable<Buffer>) {
    onProgress(chunk.length, 0);
    yield chunk;
  }
  yield* wire(head + left, layer.size);
}

/** What the manifest told of the files is what the next pull goes by. */
function checkTold(root: string, told: readonly RemoteFile[], unpacked: readonly UnpackedFile[]): void {
  const found = new Map(unpacked.map((file) => [file.path, file]));
  const same = told.every(({ path, size, digest }) => {
    const file = found.get(pathBelow(root, path.slice(1)) ?? "");
    if (!file || (size !== undefined && file.size !== size)) return false;
    return digest === undefined || file.digest === digest;
  });
  if (same && told.length === unpacked.length) return;
  throw new UserError("registry_failed", "A weight layer holds other files than its manifest says.", {
    why: "Names, sizes or digests differ.",
    hint: "Do not use this image; push it again from its project.",
  });
}
