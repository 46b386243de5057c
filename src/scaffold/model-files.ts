import { opendir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { messageOf, systemCode, throwIfAborted, UserError } from "../errors.js";
import { type CopiedFile, checkInside } from "./plan.js";
import { belowOneFolder } from "./template-model.js";

/** Where a project keeps them. */
const folder = "model";

/** A folder that nothing is known of is taken whole, up to here. */
const mostFiles = 2000;
const deepest = 10;
const leftOut = new Set([".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".cache"]);

export interface ModelFiles {
  /** Below `model/`, in the order that was given. */
  files: string[];
  copies: CopiedFile[];
}

/** Absolute paths of a model's files -> where they go in the project, in the same places relative to each other. */
export async function planModelFiles(paths: readonly string[]): Promise<ModelFiles> {
  const { files } = belowOneFolder(paths);
  const copies = await Promise.all(
    paths.map(async (source, index) => {
      const path = `${folder}/${files[index]}`;
      checkInside(path);
      return { path, source, size: await sizeOf(source), mode: 0o644 };
    }),
  );
  return { files, copies };
}

/** The files at a path that no reader knows: itself, or all in the folder. Links in it are not followed. */
export async function filesAt(path: string, signal: AbortSignal | undefined): Promise<string[]> {
  const there = await found(path);
  if (!there.isDirectory()) return [path];
  const files: string[] = [];
  const walk = async (at: string, depth: number): Promise<void> => {
    throwIfAborted(signal);
    if (depth > deepest) throw tooMuch(path, `its folders are nested more than ${deepest} deep`);
    for await (const entry of await opendir(at)) {
      if (leftOut.has(entry.name)) continue;
      if (entry.isDirectory()) await walk(join(at, entry.name), depth + 1);
      else if (entry.isFile()) files.push(join(at, entry.name));
      if (files.length > mostFiles) throw tooMuch(path, `it holds more than ${mostFiles} files`);
    }
  };
  await walk(path.endsWith(sep) ? path.slice(0, -1) : path, 0);
  if (files.length === 0) {
    throw new UserError("model_files", `${path} holds no file.`, {
      hint: "Name the model's file with --from.",
    });
  }
  return files.sort();
}

function tooMuch(path: string, why: string): UserError {
  return new UserError("model_files", `${path} is no model folder.`, {
    why: `No model was found in it, and ${why}.`,
    hint: "Name the model's file, or a folder with nothing but the model, with --from.",
  });
}

async function sizeOf(path: string): Promise<number> {
  const there = await found(path);
  if (there.isFile()) return there.size;
  throw new UserError("model_files", `${path} is not a regular file.`);
}

async function found(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    const missing = systemCode(error) === "ENOENT";
    throw new UserError("model_files", `${path} ${missing ? "is not there" : "cannot be read"}.`, {
      why: missing ? undefined : messageOf(error),
      hint: "--from takes a model's file or folder.",
      cause: error,
    });
  }
}
