import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { UserError } from "../errors.js";
import { damaged } from "./damaged.js";
import { parseJson } from "./json.js";
import { SourceFile } from "./source.js";

/** Configurations with twenty thousand labels have a megabyte; parsed, hostile JSON takes up many times its size. */
const largestText = 4 * 1024 * 1024;

export async function textFile(path: string, limit = largestText): Promise<string> {
  const file = await SourceFile.open(path);
  try {
    if (file.size > limit) throw damaged(path, `It has ${file.size} bytes, and ${limit} are the most.`);
    return (await file.bytes(0, file.size)).toString("utf8");
  } finally {
    await file.close();
  }
}

export async function jsonFile(path: string, limit = largestText): Promise<unknown> {
  const value = parseJson(await textFile(path, limit));
  if (value === undefined) throw damaged(path, "It is not JSON.");
  return value;
}

/** A relative path out of a file: only one that stays in the folder, spelled plainly. */
export function isPlainPath(path: string): boolean {
  return (
    path !== "" && path.split("/").every((part) => /^[^\\:*?"<>|\p{Cc}]+$/u.test(part) && !/^\.+$/.test(part))
  );
}

/**
 * The files of a model are copied into projects and images: a link in a downloaded folder must not bring in what is
 * elsewhere on the machine. Caches of model hubs link from `snapshots/<revision>/` to `blobs/`, which is the same model.
 */
export async function requireInside(folder: string, paths: readonly string[]): Promise<void> {
  const root = await realpath(folder);
  const snapshots = dirname(root);
  const blobs = basename(snapshots) === "snapshots" ? join(dirname(snapshots), "blobs") : undefined;
  for (const path of paths) {
    const target = await realpath(path);
    if (isWithin(root, target) || (blobs !== undefined && isWithin(blobs, target))) continue;
    throw new UserError("model_file", `${basename(path)} is a link that leads out of the model's folder.`, {
      why: "What it leads to would be copied into the project and into images.",
      hint: "Put the file itself into the folder, if it belongs to the model.",
    });
  }
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
