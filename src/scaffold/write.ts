import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, realpath, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isUserError, messageOf, systemCode, throwIfAborted, UserError } from "../errors.js";
import { copyLarge } from "./copy.js";
import { checkInside, type PlannedFile } from "./plan.js";

export interface WriteOptions {
  /** Replaces files that are there already. */
  force: boolean;
  signal?: AbortSignal | undefined;
  /** Bytes that were copied since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Writes a plan into a folder, all of it or nothing: every file is written beside its place first, then all are
 * renamed. What fails or is interrupted on the way takes away what it made, folders too, and puts back what
 * `force` replaced.
 */
export async function writePlan(
  files: readonly PlannedFile[],
  dir: string,
  options: WriteOptions,
): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    throwIfAborted(options.signal);
    const root = await prepareRoot(dir, undo);
    await refuseConflicts(files, root, dir, options.force);
    const staged: { file: PlannedFile; beside: string }[] = [];
    for (const file of files) {
      throwIfAborted(options.signal);
      staged.push({ file, beside: await stage(file, root, undo, options) });
    }
    throwIfAborted(options.signal);
    const replaced: string[] = [];
    for (const { file, beside } of staged) await putInPlace(beside, join(root, file.path), undo, replaced);
    undo.length = 0;
    for (const path of replaced) await rm(path, { force: true });
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {});
    throw isUserError(error) ? error : explain(error, dir);
  }
}

/** What is copied onto itself is there already: a model that lies where the project wants it. */
export async function withoutThoseInPlace(
  files: readonly PlannedFile[],
  dir: string,
): Promise<readonly PlannedFile[]> {
  const wanted: PlannedFile[] = [];
  for (const file of files) {
    if (!("source" in file) || !(await areSame(file.source, join(dir, file.path)))) wanted.push(file);
  }
  return wanted;
}

async function areSame(source: string, target: string): Promise<boolean> {
  const [from, to] = await Promise.all([stat(source), stateOf(target, false).catch(() => undefined)]);
  return to !== undefined && from.dev === to.dev && from.ino === to.ino;
}

/** Makes the folder where it is missing and returns its real path; a link to a folder is the user's choice. */
async function prepareRoot(dir: string, undo: (() => Promise<unknown>)[]): Promise<string> {
  const there = await stateOf(dir, true);
  if (there && !there.isDirectory()) {
    throw new UserError("file_failed", `${dir} is a file, not a folder.`, {
      hint: "Choose another folder with --dir.",
    });
  }
  if (!there) await makeFolders(resolve(dir), undo);
  return realpath(dir);
}

async function makeFolders(dir: string, undo: (() => Promise<unknown>)[]): Promise<void> {
  const missing: string[] = [];
  for (let path = dir; !(await stateOf(path, true)); path = dirname(path)) {
    missing.unshift(path);
    if (dirname(path) === path) break;
  }
  for (const path of missing) {
    await mkdir(path);
    undo.push(() => rmdir(path));
  }
}

/** Looks at everything before anything is written, so that one error names every file. */
async function refuseConflicts(
  files: readonly PlannedFile[],
  root: string,
  dir: string,
  force: boolean,
): Promise<void> {
  const existing: string[] = [];
  for (const file of files) {
    checkInside(file.path);
    await refuseDetours(file.path, root, dir);
    const there = await stateOf(join(root, file.path), false);
    if (there?.isDirectory()) {
      throw new UserError("file_failed", `${join(dir, file.path)} is a folder, and a file has to go there.`, {
        hint: "Move it away, or choose another folder with --dir.",
      });
    }
    if (there) existing.push(file.path);
  }
  if (existing.length === 0 || force) return;
  const many = existing.length > 1;
  throw new UserError(
    "files_exist",
    `${dir} holds ${existing.length} file${many ? "s" : ""} that would be overwritten.`,
    {
      hint: `Choose another folder with --dir, or replace ${many ? "them" : "it"} with --force.`,
      excerpt: existing,
    },
  );
}

/** Every folder between the project and the file is a real one: a link could lead out of the project. */
async function refuseDetours(path: string, root: string, dir: string): Promise<void> {
  const segments = path.split("/").slice(0, -1);
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const parent = segments.slice(0, depth).join("/");
    const there = await stateOf(join(root, parent), false);
    if (!there) return;
    if (there.isDirectory()) continue;
    const kind = there.isSymbolicLink() ? "a link" : "a file";
    throw new UserError("file_failed", `${join(dir, parent)} is ${kind}, and a folder has to go there.`, {
      hint: "Move it away, or choose another folder with --dir.",
    });
  }
}

async function stage(
  file: PlannedFile,
  root: string,
  undo: (() => Promise<unknown>)[],
  { signal, onBytes }: WriteOptions,
): Promise<string> {
  const target = join(root, file.path);
  await makeFolders(dirname(target), undo);
  const beside = hidden(target);
  undo.push(() => rm(beside, { force: true }));
  if ("source" in file) {
    await copyLarge(file, beside, { signal, onBytes });
    return beside;
  }
  const handle = await open(beside, "wx", file.mode);
  try {
    await handle.writeFile(file.bytes);
  } finally {
    await handle.close();
  }
  return beside;
}

async function putInPlace(
  beside: string,
  target: string,
  undo: (() => Promise<unknown>)[],
  replaced: string[],
): Promise<void> {
  if (await stateOf(target, false)) {
    const kept = hidden(target);
    await rename(target, kept);
    undo.push(() => rename(kept, target));
    replaced.push(kept);
  }
  await rename(beside, target);
  undo.push(() => rm(target, { force: true }));
}

function hidden(target: string): string {
  return join(dirname(target), `.modelship-${randomBytes(6).toString("hex")}.tmp`);
}

/** What is at a path, or nothing. */
async function stateOf(path: string, follow: boolean) {
  try {
    return await (follow ? lstat(await realpath(path)) : lstat(path));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return undefined;
    throw error;
  }
}

function explain(error: unknown, dir: string): unknown {
  const path = (error as { path?: unknown } | null)?.path;
  const place = typeof path === "string" ? path : dir;
  switch (systemCode(error)) {
    case "EACCES":
    case "EPERM":
      return new UserError("file_failed", `${dir} cannot be written.`, {
        why: `This user may not write ${place}.`,
        hint: "Choose another folder with --dir, or change its permissions.",
        cause: error,
      });
    case "EROFS":
      return new UserError("file_failed", `${dir} cannot be written.`, {
        why: "Its file system is read-only.",
        hint: "Choose another folder with --dir.",
        cause: error,
      });
    case "ENOSPC":
    case "EDQUOT":
      return new UserError("disk_full", `${dir} cannot be written: the disk is full.`, {
        hint: "Free some space, or choose another folder with --dir.",
        cause: error,
      });
    case "ENOTDIR":
    case "EEXIST":
      return new UserError("file_failed", `${dir} cannot be made.`, {
        why: `A file is in the way: ${place}.`,
        hint: "Choose another folder with --dir.",
        cause: error,
      });
    case "ENAMETOOLONG":
    case "ELOOP":
    case "EIO":
      return new UserError("file_failed", `${dir} cannot be written.`, {
        why: messageOf(error),
        cause: error,
      });
    default:
      return error;
  }
}
