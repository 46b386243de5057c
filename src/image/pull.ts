import { mkdir, realpath } from "node:fs/promises";
import { resolve } from "node:path";
import pLimit from "p-limit";
import { interrupted, isUserError, UserError } from "../errors.js";
import { RegistryClient } from "../registry/client.js";
import { formatReference, parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { PullStage } from "../weights/pull-stage.js";
import { writeError } from "../weights/write-error.js";
import { Label } from "./label-names.js";
import { type FetchedFile, type FetchWeights, fetchWeights, placedFiles } from "./remote/fetch-weights.js";
import { type RemoteManifest, readManifest } from "./remote/read.js";
import { type RemoteWeights, weightsOf } from "./remote/weights.js";

export interface PullOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `name@sha256:...` or `name:tag`. */
  reference: string;
  /** Folder for the model files; made where it is not there. */
  to: string;
  /** Of an image for several. */
  platform?: string | undefined;
  insecure?: boolean | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface PullResult {
  /** `name@sha256:...`: what the name stood for. */
  reference: string;
  digest: string;
  /** The folder, absolute. */
  to: string;
  files: readonly FetchedFile[];
  /** Of layers, over the wire. */
  bytesReceived: number;
  seconds: number;
}

const layersAtOnce = 4;

/**
 * Brings an image's model files from its registry into a folder, without an engine. Each layer is verified before any
 * of its files gets its name; files that are there already, byte for byte, are not fetched again, and what a pull that
 * broke off has left of a large one is gone on with. Throws UserError.
 */
export async function pullWeights(options: PullOptions): Promise<PullResult> {
  const started = performance.now();
  const { env, insecure, signal } = options;
  const reference = parseReference(options.reference);
  const client = new RegistryClient(reference.registry, { env, insecure, signal });
  try {
    const read = await readManifest(client, reference, options.platform ?? ownPlatform());
    const weights = weightsOf(read);
    if (weights.length === 0) throw noWeights(formatReference(reference));
    const { registry, repository } = reference;
    const to = await folderAt(resolve(options.cwd, options.to));
    const pulled = await pullInto(to, { client, repository, root: modelFolder(read) }, weights, options);
    return {
      reference: formatReference({ registry, repository, digest: read.digest }),
      digest: read.digest,
      to: resolve(options.cwd, options.to),
      ...pulled,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    client.close();
  }
}

async function pullInto(
  to: string,
  from: Omit<FetchWeights, "to" | "stage">,
  weights: readonly RemoteWeights[],
  options: PullOptions,
): Promise<Pick<PullResult, "files" | "bytesReceived">> {
  const stage = await PullStage.open(to);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const files = new Map<string, FetchedFile>();
  let bytesReceived = 0;
  let failure: unknown;
  const queue = pLimit(layersAtOnce);
  const pull = async (one: RemoteWeights) => {
    if (signal.aborted) return;
    try {
      const pulled = await pullLayer({ ...from, to, stage }, one, options, signal);
      bytesReceived += pulled.received;
      for (const file of pulled.files) {
        if (files.has(file.path)) throw twice(file.path);
        files.set(file.path, file);
      }
    } catch (error) {
      failure ??= error;
      stop.abort();
    }
  };
  // One failure stops the others, and nobody writes any more once it is told.
  await Promise.all(weights.map((one) => queue(() => pull(one))));
  if (options.signal?.aborted) failure ??= interrupted();
  // A full disk is not left full of what may not be wanted any more.
  const full = isUserError(failure) && failure.code === "disk_full";
  await stage.close({ keep: failure !== undefined && !full });
  if (failure !== undefined) throw failure;
  const sorted = [...files.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
  return { files: sorted, bytesReceived };
}

async function pullLayer(
  fetch: FetchWeights,
  weights: RemoteWeights,
  { report }: PullOptions,
  signal: AbortSignal,
): Promise<{ files: FetchedFile[]; received: number }> {
  const { layer, files, count } = weights;
  const id = `pull ${layer.digest}`;
  const began = performance.now();
  report({ type: "task-started", id, title: titleOf(weights) });
  const ended = (outcome: "done" | "cached" | "failed") =>
    report({ type: "task-ended", id, outcome, seconds: (performance.now() - began) / 1000 });
  try {
    const there = count === files.length ? await placedFiles(fetch, weights) : undefined;
    let received = 0;
    const onProgress = (current: number, fresh: number) => {
      received += fresh;
      report({ type: "task-progress", id, current, total: layer.size, unit: "bytes" });
    };
    const pulled = there ?? (await fetchWeights(fetch, weights, { onProgress, signal }));
    ended(there ? "cached" : "done");
    return { files: pulled, received };
  } catch (error) {
    ended("failed");
    throw error;
  }
}

function titleOf({ files, count, layer }: RemoteWeights): string {
  const [first] = files;
  if (first && count === 1) return first.path;
  return count === undefined ? layer.digest : `${count} model files`;
}

/** The real folder; a link to it is the user's choice, and those in it are refused. */
async function folderAt(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    return await realpath(path);
  } catch (error) {
    throw writeError(error, path);
  }
}

/** `app/model`, of what the image says; one of somebody else's may say anything, or nothing. */
function modelFolder({ config, manifest }: RemoteManifest): string {
  const said = config?.config?.Labels?.[Label.files] ?? manifest.annotations?.[Label.files];
  return typeof said === "string" ? said.replace(/^\/+|\/+$/g, "") : "";
}

function ownPlatform(): string {
  return `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
}

function twice(path: string): UserError {
  return new UserError("registry_failed", `Two layers hold the model file ${path}.`, {
    hint: "Do not use this image; push it again from its project.",
  });
}

function noWeights(name: string): UserError {
  return new UserError("model_files", `${name} has no layers of model files.`, {
    why: "It was not pushed by modelship, or without its model files.",
    hint: "`modelship inspect` shows what is in it.",
  });
}
