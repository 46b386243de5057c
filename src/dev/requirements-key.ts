import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packagePath } from "../package.js";
import { listFiles } from "../project/files.js";

/** Changes when the same requirements would be installed in another way. */
const keyFormat = 1;

/** The service itself, with the locks of its requirements. */
export const serviceSource = packagePath("templates/service/python");

export interface KeyInput {
  root: string;
  /** The version or the interpreter that the virtualenv is for. */
  python: string;
  /** Project paths, files or folders, that the install reads. */
  paths: readonly string[];
}

/** Short digest of everything that decides what a virtualenv holds: the same key means nothing to install. */
export async function requirementsKey({ root, python, paths }: KeyInput): Promise<string> {
  const everything = { ignores: () => false, prunes: () => false };
  const key = createHash("sha256");
  const add = (...parts: readonly (string | Buffer)[]) => {
    for (const part of parts) key.update(`${Buffer.byteLength(part)}:`).update(part);
  };
  add(JSON.stringify([keyFormat, python, process.platform, process.arch, paths]));
  for (const name of ["requirements.txt", "constraints.txt"])
    add(name, await readFile(join(serviceSource, name)));
  for (const path of paths)
    for (const file of await listFiles(root, path, everything)) add(file.path, await readFile(file.file));
  return key.digest("hex").slice(0, 16);
}
