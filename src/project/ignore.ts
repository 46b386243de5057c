import { readFile } from "node:fs/promises";
import { join } from "node:path";
import dockerignore from "@balena/dockerignore";
import { systemCode } from "../errors.js";

/** What stays out of an image when a project has no .dockerignore of its own. */
const withoutIgnoreFile = [".git", ".venv", "venv", "node_modules", "**/__pycache__", "**/*.pyc", ".env"];

/** What modelship itself keeps in a project, such as the virtualenv of `dev`; no .dockerignore brings it in. */
const ours = /^\.modelship(\/|$)/;

export interface IgnoreRules {
  /** Whether a path (relative to the project, forward slashes) stays out. */
  ignores: (path: string) => boolean;
  /** Whether a whole folder can be passed over: it is ignored and no rule brings anything back. */
  prunes: (folder: string) => boolean;
}

/** The project's .dockerignore, with Docker's own meaning: last match wins, `!` brings back. */
export async function readIgnoreRules(root: string): Promise<IgnoreRules> {
  let lines: string[];
  try {
    lines = (await readFile(join(root, ".dockerignore"), "utf8")).replace(/^\uFEFF/, "").split(/\r?\n/);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    lines = withoutIgnoreFile;
  }
  const matcher = dockerignore.default({ ignorecase: false }).add(lines);
  const hasExceptions = lines.some((line) => line.trim().startsWith("!"));
  return {
    ignores: (path) => ours.test(path) || matcher.ignores(path),
    prunes: (folder) => ours.test(folder) || (!hasExceptions && matcher.ignores(folder)),
  };
}
