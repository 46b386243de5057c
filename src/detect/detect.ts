import { basename, join, resolve } from "node:path";
import { throwIfAborted, UserError } from "../errors.js";
import { catboost } from "./catboost.js";
import type { Detected } from "./detected.js";
import { listFolder } from "./folder.js";
import { gguf } from "./gguf.js";
import { huggingFace } from "./hugging-face.js";
import { keras, kerasLegacy } from "./keras.js";
import { lightgbm } from "./lightgbm.js";
import { mlflow } from "./mlflow.js";
import { onnx } from "./onnx.js";
import { pickle } from "./pickle.js";
import type { FileReader, FolderReader, SourceFolder } from "./reader.js";
import { safetensors } from "./safetensors.js";
import { savedModel } from "./saved-model.js";
import { skops } from "./skops.js";
import { SourceFile, statOf } from "./source.js";
import { torchLegacy } from "./torch-legacy.js";
import { torchZip } from "./torch-zip.js";
import { xgboost } from "./xgboost.js";

/** In the order in which they are asked: those with a magic number first, those that have to try last. */
const fileReaders: readonly FileReader[] = [
  gguf,
  kerasLegacy,
  torchLegacy,
  keras,
  torchZip,
  skops,
  safetensors,
  xgboost,
  lightgbm,
  catboost,
  onnx,
  pickle,
];

const folderReaders: readonly FolderReader[] = [
  mlflow(async (path, signal) => (await detectAt(path, signal))[0]),
  savedModel,
  huggingFace,
];

export interface Detection {
  /** Empty: unknown. Several: a folder holds several models, the best first. */
  found: readonly Detected[];
}

/** How far a folder is searched that is not one model itself. */
const deepest = 3;
const mostFiles = 2000;
const notAll = "Its folder holds more than was looked at: give the path of the model itself to be sure.";
/** Folders of others' code or of tools, with thousands of files and no model of the user's. */
const passedOver = /^(\..*|node_modules|__pycache__|site-packages|venv)$/;
/** A folder of thousands of pickles: what was found by then is the answer. The last file may take its time on top. */
const searchTime = 3500;

/**
 * Tells what a file or folder is by reading it; nothing in it is ever run or imported.
 * Throws UserError `model_file` for what cannot be read or is of a known format and broken.
 */
export async function detectModel(
  path: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Detection> {
  const { signal } = options;
  throwIfAborted(signal);
  return { found: await detectAt(resolve(path), signal) };
}

async function detectAt(path: string, signal: AbortSignal | undefined): Promise<Detected[]> {
  const stats = await statOf(path);
  if (stats.isDirectory()) return await detectFolder(path, signal);
  const detected = await detectFile(path, signal);
  return detected ? [detected] : [];
}

async function detectFile(path: string, signal: AbortSignal | undefined): Promise<Detected | undefined> {
  const file = await SourceFile.open(path);
  try {
    for (const reader of fileReaders) {
      throwIfAborted(signal);
      const detected = reader.recognises(file) ? await reader.read(file, signal) : undefined;
      if (detected) return detected;
    }
    return undefined;
  } finally {
    await file.close();
  }
}

async function detectFolder(root: string, signal: AbortSignal | undefined): Promise<Detected[]> {
  const found: Detected[] = [];
  let firstFailure: UserError | undefined;
  let files = 0;
  const end = performance.now() + searchTime;
  let isCut = false;

  /** Whether this was a model, whole or broken. */
  const attempt = async (detect: () => Promise<Detected | undefined>): Promise<boolean> => {
    try {
      const detected = await detect();
      if (detected) found.push(detected);
      return detected !== undefined;
    } catch (error) {
      // One broken file does not hide the models beside it
      if (!(error instanceof UserError) || error.code !== "model_file") throw error;
      firstFailure ??= error;
      return true;
    }
  };

  const level = async (folders: readonly string[], depth: number): Promise<void> => {
    const below: string[] = [];
    for (const path of folders) {
      throwIfAborted(signal);
      if (performance.now() > end) isCut = true;
      if (isCut) return;
      const folder = await listFolder(path, signal);
      // The weights in a broken folder of a known format are no model of their own
      if (await attempt(() => readFolder(folder, signal))) continue;
      for (const name of folder.files) {
        files += 1;
        if (files > mostFiles || performance.now() > end) isCut = true;
        if (isCut) return;
        if (!passedOver.test(name)) await attempt(() => detectFile(join(path, name), signal));
      }
      below.push(...folder.folders.filter((name) => !passedOver.test(name)).map((name) => join(path, name)));
    }
    if (depth < deepest && below.length > 0) await level(below, depth + 1);
  };
  await level([root], 1);

  if (found.length === 0 && firstFailure) throw firstFailure;
  const models = bestFirst(withoutParts(found));
  if (!isCut) return models;
  return models.map((one) => ({ ...one, warnings: [...one.warnings, notAll] }));
}

async function readFolder(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
): Promise<Detected | undefined> {
  for (const reader of folderReaders) {
    throwIfAborted(signal);
    const detected = reader.recognises(folder) ? await reader.read(folder, signal) : undefined;
    if (detected) return detected;
  }
  return undefined;
}

/** A file that belongs to another model, such as its external data, is no model of its own. */
function withoutParts(found: readonly Detected[]): Detected[] {
  const parts = new Set(found.flatMap(({ files }) => files.slice(1)));
  return found.filter(({ files }) => !parts.has(files[0] ?? ""));
}

const byConfidence = { certain: 0, likely: 1, guess: 2 } as const;

/** The surest first, then those nearest to the top of the folder, then by name: the same answer every time. */
function bestFirst(found: readonly Detected[]): Detected[] {
  const depth = (one: Detected): number => (one.files[0] ?? "").split(/[\\/]/).length;
  return [...found].sort(
    (a, b) =>
      byConfidence[a.confidence] - byConfidence[b.confidence] ||
      depth(a) - depth(b) ||
      basename(a.files[0] ?? "").localeCompare(basename(b.files[0] ?? ""), "en"),
  );
}
