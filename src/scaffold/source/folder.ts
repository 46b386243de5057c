import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, systemCode, throwIfAborted, UserError } from "../../errors.js";
import { Allowance } from "./limits.js";

const deepest = 16;

/** Looks at every name before anything is read: links are refused, for they could lead anywhere. */
export async function checkFolder(
  folder: string,
  place: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const allowance = new Allowance(place);
  const walk = async (at: string, below: string, depth: number): Promise<void> => {
    throwIfAborted(signal);
    if (depth > deepest) {
      throw new UserError("template", `${place} is no template.`, {
        why: `Its folders are nested more than ${deepest} deep.`,
      });
    }
    for await (const entry of await opendir(at)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (below === "" && entry.name === ".git") continue;
      if (entry.isDirectory()) await walk(join(at, entry.name), path, depth + 1);
      else if (entry.isFile()) allowance.take(path, (await lstat(join(at, entry.name))).size);
      else throw refused(place, path, entry.isSymbolicLink() ? "it is a link" : "it is no regular file");
    }
  };
  try {
    await walk(folder, "", 0);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const missing = systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR";
    throw new UserError("template", `${place} ${missing ? "is no folder" : "cannot be read"}.`, {
      why: missing ? undefined : messageOf(error),
      cause: error,
    });
  }
}

export function refused(place: string, path: string, why: string): UserError {
  return new UserError(
    "template",
    `${place} holds something that no template may: ${JSON.stringify(path.slice(0, 200))}.`,
    {
      why: `${why.charAt(0).toUpperCase()}${why.slice(1)}.`,
    },
  );
}
