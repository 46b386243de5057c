import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { systemCode, UserError } from "../errors.js";
import { type FlagValues, type Origin, resolveConfig } from "./config.js";
import { parseProjectFile, projectFileName } from "./project-file.js";
import type { ProjectConfig } from "./schema.js";

/** A folder with a modelship.yaml, read and checked. */
export interface Project {
  /** Absolute path of the folder. */
  root: string;
  /** Absolute path of its modelship.yaml. */
  file: string;
  config: ProjectConfig;
  origins: Readonly<Record<string, Origin>>;
}

export interface LoadOptions {
  cwd: string;
  /** The project's folder; without it the current folder or its nearest parent that has a modelship.yaml. */
  dir?: string | undefined;
  env: NodeJS.ProcessEnv;
  flags?: FlagValues;
}

/** Finds and reads the project. Throws UserError `project_not_found` or `project_file`. */
export async function loadProject(options: LoadOptions): Promise<Project> {
  const found =
    options.dir === undefined ? await search(options.cwd) : await open(resolve(options.cwd, options.dir));
  if (!found) {
    const where = options.dir === undefined ? "here or in any parent folder" : `in ${options.dir}`;
    throw new UserError("project_not_found", `There is no ${projectFileName} ${where}.`, {
      hint: "Start a project with `modelship init`, or name its folder with `--project`.",
    });
  }
  const shown = relative(options.cwd, found.file) || projectFileName;
  const values = parseProjectFile(found.text, shown);
  return {
    root: dirname(found.file),
    file: found.file,
    ...resolveConfig(values, options.env, options.flags),
  };
}

interface OpenFile {
  file: string;
  text: string;
}

async function search(from: string): Promise<OpenFile | undefined> {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const found = await open(folder);
    if (found) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

async function open(folder: string): Promise<OpenFile | undefined> {
  const file = join(folder, projectFileName);
  try {
    return { file, text: await readFile(file, "utf8") };
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UserError("file_failed", `${file} cannot be read.`, {
      why: (error as Error).message,
      cause: error,
    });
  }
}
