import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { renderKeys } from "../keys/document.js";
import { readKeyFile } from "../keys/key-file.js";
import { projectKeyFile } from "../keys/place.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import {
  type Environment,
  mergeEnvironments,
  parseEnvironmentFile,
  parseEnvironmentFlags,
} from "./environment.js";

export interface EnvironmentOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `KEY=VALUE` or `KEY`. */
  environment: readonly string[];
  environmentFiles: readonly string[];
}

/** What the user gives a service: files, then flags, then the keys that its project names. */
export async function givenEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const flags = parseEnvironmentFlags(options.environment, options.env);
  return mergeEnvironments(...(await readEnvironmentFiles(options)), flags);
}

async function readEnvironmentFiles(options: EnvironmentOptions): Promise<Environment[]> {
  return Promise.all(
    options.environmentFiles.map(async (name) => {
      try {
        return parseEnvironmentFile(await readFile(resolve(options.cwd, name)), name, options.env);
      } catch (cause) {
        if (cause instanceof UserError) throw cause;
        throw new UserError("usage", `The file ${name} of --env-file cannot be read.`, {
          why: messageOf(cause),
          cause,
        });
      }
    }),
  );
}

/**
 * The keys that the project's service accepts, unless they were given: of the variable that the project names, or else
 * of its file of keys, which has only their hashes.
 */
export async function withServiceKeys(
  project: Project,
  given: Environment,
  env: NodeJS.ProcessEnv,
  report: Reporter,
): Promise<Environment> {
  if (given.has("MODELSHIP_API_KEYS") || given.has("MODELSHIP_KEYS_FILE")) return given;
  const name = project.config.service.auth.keys_env;
  if (name && given.has(name)) return given;
  const value = name ? env[name] : undefined;
  if (name && value !== undefined) {
    report({ type: "note", message: `Passing ${name} on to the service (service.auth.keys_env).` });
    return new Map([...given, [name, value]]);
  }
  const file = projectKeyFile(project);
  const keys = await readKeyFile(file);
  if (keys) {
    report({
      type: "note",
      message: `Passing the hashes of ${keys.length} API keys on to the service (${file}).`,
    });
    return new Map([...given, ["MODELSHIP_API_KEYS", renderKeys(keys)]]);
  }
  if (name) {
    report({
      type: "warning",
      message: `The service takes its API keys from ${name}, which is not set.`,
      hint: "Set it here, pass it with --env-file, or make a key with `modelship keys create`.",
    });
  }
  return given;
}
