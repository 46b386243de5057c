import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, UserError } from "../errors.js";
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

/** Variables of the service that bring it keys. */
export const KeyVariable = { text: "MODELSHIP_API_KEYS", file: "MODELSHIP_KEYS_FILE" } as const;

export interface EnvironmentOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `KEY=VALUE` or `KEY`. */
  environment: readonly string[];
  environmentFiles: readonly string[];
  /** `--allow-cpu`: a service that is made for a GPU may run on the CPU. */
  allowCpu?: boolean | undefined;
}

/** What the user gives a service: files, then flags, then the keys that its project names. */
export async function givenEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const flags = parseEnvironmentFlags(options.environment, options.env);
  const allowed = new Map(options.allowCpu ? [["MODELSHIP_ALLOW_CPU", "1"]] : []);
  return mergeEnvironments(...(await readEnvironmentFiles(options)), flags, allowed);
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

/** Where a project's service gets its keys from. */
export interface ServiceKeys {
  /** What the user gives the service, with the keys of the variable that the project names. */
  environment: Environment;
  /** The project's file of keys, where it is the file that counts. */
  file?: string | undefined;
}

/** The keys that were given count; else those of the variable that the project names; else its file of keys. */
export async function serviceKeys(
  project: Project,
  given: Environment,
  env: NodeJS.ProcessEnv,
  report: Reporter,
): Promise<ServiceKeys> {
  const name = project.config.service.auth.keys_env;
  const isGiven = [KeyVariable.text, KeyVariable.file, name ?? ""].some((variable) => given.has(variable));
  if (isGiven) return { environment: given };
  const value = name ? env[name] : undefined;
  if (name && value !== undefined) {
    report({ type: "note", message: `Passing ${name} on to the service (service.auth.keys_env).` });
    return { environment: new Map([...given, [name, value]]) };
  }
  const file = projectKeyFile(project);
  if (await readKeyFile(file)) return { environment: given, file };
  if (name) {
    report({
      type: "warning",
      message: `The service takes its API keys from ${name}, which is not set.`,
      hint: "Set it here, pass it with --env-file, or make a key with `modelship keys create`.",
    });
  }
  return { environment: given };
}
