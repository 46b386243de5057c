import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { systemCode, UserError } from "../errors.js";
import type { Origin } from "../project/config.js";
import { namesIndex, type Requirement, readLocked, readRequired } from "./accelerator/requirement.js";
import type { DockerfileInput } from "./dockerfile.js";

export interface Requirements {
  /** What the Dockerfile must do. */
  install: DockerfileInput["requirements"];
  /** Project paths (files or folders) that the install reads. */
  paths: readonly string[];
  /** The packages that it names; of a lock all of them. */
  required: readonly Requirement[];
  /** The files themselves say where packages come from. */
  namesIndex: boolean;
}

/** Reads the project's requirements, following `-r`, `-c` and local paths. Throws UserError `project_file`. */
export async function readRequirements(root: string, file: string, origin: Origin): Promise<Requirements> {
  if (/(^|\/)pyproject\.toml$/.test(file)) return readLock(root, file);
  const paths = new Set<string>();
  const texts = new Map<string, string>();
  const text = await readText(root, file);
  if (text === undefined) {
    if (origin.from === "default")
      return { install: { kind: "none" }, paths: [], required: [], namesIndex: false };
    throw missing(file);
  }
  await follow(root, file, text, paths, texts);
  return {
    install: { kind: "pip", file, hashed: /(^|\s)--hash[= ]/m.test(text) },
    paths: [...paths].sort(),
    required: readRequired(file, texts),
    namesIndex: namesIndex(file, texts),
  };
}

async function readLock(root: string, file: string): Promise<Requirements> {
  const lock = posix.join(posix.dirname(file), "uv.lock");
  if ((await readText(root, file)) === undefined) throw missing(file);
  const locked = await readText(root, lock);
  if (locked === undefined) {
    throw new UserError("project_file", `${file} has no ${lock} beside it.`, {
      why: "Without a lock two builds of the same project can install different packages.",
      hint: "Write one with `uv lock`, or set `requirements: requirements.txt`.",
    });
  }
  if (posix.dirname(file) !== ".") {
    throw new UserError("project_file", `${file} is not at the top of the project.`, {
      hint: "Put pyproject.toml and uv.lock beside modelship.yaml.",
    });
  }
  const { required, indexes } = readLocked(locked);
  return { install: { kind: "uv", indexes }, paths: [file, lock], required, namesIndex: indexes.length > 0 };
}

async function follow(
  root: string,
  file: string,
  text: string,
  paths: Set<string>,
  texts: Map<string, string>,
): Promise<void> {
  if (paths.has(file)) return;
  paths.add(file);
  texts.set(file, text);
  for (const line of text.split(/\r?\n/)) {
    const entry = line.replace(/(^|\s)#.*$/, "").trim();
    const include = /^(?:-r|-c|--requirement|--constraint)[= ]?\s*(\S+)$/.exec(entry)?.[1];
    const local =
      /^(?:-e\s+|--editable[= ]\s*)?((?:\.{1,2}\/|file:(?!\/\/))\S*|\S+\.(?:whl|tar\.gz))(?:\s|;|\[|$)/.exec(
        entry,
      )?.[1];
    const target = include ?? local?.replace(/^file:/, "").replace(/\[.*$/, "");
    if (!target || /^[a-z+]+:\/\//i.test(target) || target.includes("@")) continue;
    // Includes are relative to the file that names them; local projects and wheels to where pip runs: the top.
    const path = include ? posix.join(posix.dirname(file), target) : posix.normalize(target);
    if (path.startsWith("..") || posix.isAbsolute(path)) {
      throw new UserError("project_file", `${file} names ${target}, which is outside the project.`, {
        hint: "Copy it into the project: the build sees nothing else.",
      });
    }
    if (!include) {
      paths.add(path.replace(/\/$/, ""));
      continue;
    }
    const included = await readText(root, path);
    if (included === undefined) throw missing(path, file);
    await follow(root, path, included, paths, texts);
  }
}

function missing(file: string, namedBy = "modelship.yaml"): UserError {
  return new UserError("project_file", `${file} does not exist.`, {
    why: `${namedBy} names it.`,
    hint: "Create it, or name another file.",
  });
}

async function readText(root: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, path), "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw new UserError("file_failed", `${path} cannot be read.`, {
      why: (error as Error).message,
      cause: error,
    });
  }
}
