import { UserError } from "../errors.js";

const longestPath = 4096;
const longestName = 255;

/**
 * Where an entry of a layer goes below the model folder: `app/model/a/b` below `app/model` is `a/b`, and a `root`
 * that is itself a file is its name. `undefined` for the folders that lead to `root` and for what lies beside it.
 * A name that could lead out of a folder ends in UserError `registry_failed`.
 */
export function pathBelow(root: string, name: string): string | undefined {
  const path = name.replace(/\/$/, "");
  checkLayerPath(path);
  if (root === "") return path;
  if (path === root) return path.slice(path.lastIndexOf("/") + 1);
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
}

/** Plain relative paths only: nothing absolute, no `.` or `..`, nothing that a file system reads in another way. */
export function checkLayerPath(path: string): void {
  const parts = path.split("/");
  const plain =
    path.length <= longestPath &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    !/[\u0000-\u001f\u007f\\]/.test(path) &&
    parts.every((part) => part !== "" && part !== "." && part !== ".." && !part.startsWith(".wh.")) &&
    parts.every((part) => Buffer.byteLength(part) <= longestName);
  if (plain) return;
  throw new UserError("registry_failed", "A weight layer holds a path that is not unpacked.", {
    why: `${JSON.stringify(path.slice(0, 200))} is no plain path below a folder.`,
    hint: "Do not use this image; modelship makes no such layers.",
  });
}
