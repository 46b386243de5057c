import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { systemCode, UserError } from "../../errors.js";

/** A config.json or auth.json; what else it holds is none of our business and is kept. */
export interface ConfigData {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
  currentContext?: string;
  [key: string]: unknown;
}

/** As the file writes it. An empty one marks a credential that a helper keeps. */
export interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  [key: string]: unknown;
}

export interface ConfigFile {
  /** For people: its path, or the name of the variable that held it. */
  name: string;
  data: ConfigData;
  text: string;
}

export function dockerConfigDir(env: NodeJS.ProcessEnv, home: string = homedir()): string {
  return env.DOCKER_CONFIG || join(home, ".docker");
}

export function dockerConfigPath(env: NodeJS.ProcessEnv, home: string = homedir()): string {
  return join(dockerConfigDir(env, home), "config.json");
}

/** `undefined` when there is no such file. */
export async function readConfigFile(path: string): Promise<ConfigFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UserError("file_failed", `${path} cannot be read.`, {
      why: code === "EACCES" ? "This user may not read it." : `The system says ${code ?? "nothing more"}.`,
      hint: "Correct its permissions, or point DOCKER_CONFIG at another folder.",
      cause: error,
    });
  }
  return parseConfig(text, path);
}

/** `name` says in errors what was read. */
export function parseConfig(text: string, name: string): ConfigFile {
  const bare = text.replace(/^\uFEFF/, "");
  if (bare.trim() === "") return { name, data: {}, text };
  let value: unknown;
  try {
    value = JSON.parse(bare);
  } catch {
    // The parser's own message quotes the text, and the text holds passwords.
    throw new UserError("file_failed", `${name} is not valid JSON.`, {
      hint: "Correct it, or remove it and log in again.",
    });
  }
  if (!isObject(value)) throw wrongShape(name, "the whole", "an object");
  if (value.auths !== undefined && !isMapOf(value.auths, isObject))
    throw wrongShape(name, "auths", "objects");
  if (value.credHelpers !== undefined && !isMapOf(value.credHelpers, isString)) {
    throw wrongShape(name, "credHelpers", "names of helpers");
  }
  if (value.credsStore !== undefined && !isString(value.credsStore)) {
    throw wrongShape(name, "credsStore", "the name of a helper");
  }
  return { name, data: value as ConfigData, text };
}

function wrongShape(name: string, key: string, expected: string): UserError {
  return new UserError(
    "file_failed",
    `${name} is not a Docker configuration: ${key} should hold ${expected}.`,
    {
      hint: "Correct it, or remove it and log in again.",
    },
  );
}

const isString = (value: unknown): value is string => typeof value === "string";

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMapOf(value: unknown, test: (entry: unknown) => boolean): boolean {
  return (
    value === null ||
    (isObject(value) && Object.values(value).every((entry) => entry === null || test(entry)))
  );
}
