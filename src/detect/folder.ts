import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, throwIfAborted, UserError } from "../errors.js";
import type { SourceFolder } from "./reader.js";

/** More names than a model's folder has; what is beyond is not looked at. */
const mostNames = 2000;

/** Lists a folder. Links to files count as files (caches of model hubs are full of them), links to folders as nothing. */
export async function listFolder(path: string, signal?: AbortSignal): Promise<SourceFolder> {
  const files: string[] = [];
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(path)) {
      throwIfAborted(signal);
      if (files.length + folders.length >= mostNames) break;
      if (entry.isDirectory()) folders.push(entry.name);
      else if (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(join(path, entry.name))))) {
        files.push(entry.name);
      }
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("model_file", "The model's folder cannot be read.", {
      why: messageOf(error),
      hint: "Check the path and your permissions.",
      cause: error,
    });
  }
  return { path, files: files.sort(), folders: folders.sort() };
}

async function leadsToFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // a link to nothing, or in a circle
  }
}
