import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { systemCode, UserError } from "../errors.js";
import type { IgnoreRules } from "./ignore.js";

/** A file of the project: `path` is relative to the project with forward slashes, `file` absolute. */
export interface ProjectFile {
  path: string;
  file: string;
  /** Bytes. */
  size: number;
  executable: boolean;
}

/**
 * Lists the regular files at or below `start` (relative to `root`), sorted by path.
 * Symbolic links are followed inside the project and refused outside it; sockets, FIFOs and devices are passed over.
 */
export async function listFiles(root: string, start: string, rules: IgnoreRules): Promise<ProjectFile[]> {
  const home = await realpath(root);
  const found: ProjectFile[] = [];

  async function visit(path: string, ancestors: readonly string[]): Promise<void> {
    const file = join(root, path);
    if ((await lstat(file)).isSymbolicLink() && rules.ignores(path)) return; // may dangle, or lead outside
    const real = await inside(home, file, path);
    const info = await stat(real);
    if (info.isDirectory()) {
      if (ancestors.includes(real) || (path !== "" && rules.prunes(path))) return;
      const names = (await readdir(real)).sort();
      for (const name of names) await visit(path === "" ? name : `${path}/${name}`, [...ancestors, real]);
    } else if (info.isFile() && !rules.ignores(path)) {
      found.push({ path, file: real, size: info.size, executable: (info.mode & 0o111) !== 0 });
    }
  }

  try {
    await visit(start, []);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("file_failed", "The project's files cannot be read.", {
      why: (error as Error).message,
      hint:
        systemCode(error) === "EACCES"
          ? "Give yourself read permission, or list the file in .dockerignore."
          : undefined,
      cause: error,
    });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function inside(home: string, file: string, path: string): Promise<string> {
  const real = await realpath(file);
  if (real === home || real.startsWith(home + sep)) return real;
  throw new UserError("file_failed", `${path} is a link to something outside the project.`, {
    why: `It leads to ${relative(home, real).split(sep).join("/")}, which an image of this project must not take in.`,
    hint: "Copy the file into the project, or list the link in .dockerignore.",
  });
}
