import { join, resolve } from "node:path";
import { UserError } from "../errors.js";
import { loadProject, type Project } from "../project/load.js";

export interface KeyPlace {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `--project`. */
  dir?: string | undefined;
  /** `--file`: works without a project. */
  file?: string | undefined;
}

/** In a folder of its own, which a container can mount whole: a file that is replaced is a new file to a mount. */
const usualFile = ".modelship/keys/keys.json";

/** Absolute path of the file with the keys: the one that was named, or the project's. */
export async function keyFileOf(place: KeyPlace): Promise<string> {
  if (place.file !== undefined) return resolve(place.cwd, place.file);
  try {
    return projectKeyFile(await loadProject(place));
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "project_not_found") throw error;
    throw new UserError(error.code, error.message, {
      hint: "Name the file of keys with --file, or the project's folder with --project.",
      cause: error,
    });
  }
}

export function projectKeyFile({ root, config }: Project): string {
  return join(root, config.service.auth.keys_file ?? usualFile);
}
