import { UserError } from "../errors.js";
import { type FileValues, projectFileName } from "./project-file.js";
import { type ProjectConfig, projectSchema, type Setting, settings } from "./schema.js";

/** Where the value of one setting comes from. */
export type Origin = { from: "default" | "file" } | { from: "environment" | "flag"; name: string };

export interface ResolvedConfig {
  config: ProjectConfig;
  /** By dotted path, for every setting. */
  origins: Readonly<Record<string, Origin>>;
}

/** Values given on the command line, by dotted path, with the flag's name. */
export type FlagValues = Readonly<Record<string, { flag: string; value: unknown } | undefined>>;

/** Environment variable that sets a setting: `image.base` -> `MODELSHIP_IMAGE_BASE`. */
export function environmentName(path: readonly string[]): string {
  return `MODELSHIP_${path.join("_").toUpperCase()}`;
}

/** Flags override the environment, which overrides the file, which overrides the defaults. */
export function resolveConfig(
  file: FileValues,
  env: NodeJS.ProcessEnv,
  flags: FlagValues = {},
): ResolvedConfig {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const setting of settings()) {
    const dotted = setting.path.join(".");
    const name = environmentName(setting.path);
    const flag = flags[dotted];
    const text = env[name];
    const written = read(file, setting.path);
    if (flag) {
      origins[dotted] = { from: "flag", name: flag.flag };
      write(values, setting.path, flag.value);
    } else if (text !== undefined && text !== "") {
      origins[dotted] = { from: "environment", name };
      write(values, setting.path, fromText(text, setting));
    } else {
      origins[dotted] = { from: written === undefined ? "default" : "file" };
      if (written !== undefined) write(values, setting.path, written);
    }
  }
  const checked = projectSchema.safeParse(values);
  if (checked.success) return { config: withProfile(checked.data, origins), origins };
  throw overrideError(checked.error.issues[0], origins);
}

/** The edge profile has other defaults; what was set stays as it is. */
function withProfile(config: ProjectConfig, origins: Readonly<Record<string, Origin>>): ProjectConfig {
  if (config.image.profile !== "edge" || origins["service.playground"]?.from !== "default") return config;
  return { ...config, service: { ...config.service, playground: false } };
}

/** The file was valid on its own, so what is wrong came from a flag or a variable: name that. */
function overrideError(
  issue: { path: PropertyKey[]; message: string } | undefined,
  origins: Readonly<Record<string, Origin>>,
): UserError {
  const dotted = issue?.path.filter((part) => typeof part === "string").join(".") ?? "";
  const origin = origins[dotted];
  const source = origin && "name" in origin ? origin.name : projectFileName;
  return new UserError("usage", `${source}: \`${dotted}\` ${issue?.message ?? "is not valid"}.`, {
    hint: "`modelship config` shows every setting and where it comes from.",
  });
}

function fromText(text: string, setting: Setting): unknown {
  if (setting.types.some((type) => type === "integer" || type === "number") && text.trim() !== "") {
    const number = Number(text);
    if (!Number.isNaN(number)) return number;
  }
  if (setting.types.includes("boolean")) return ["1", "true", "yes"].includes(text.toLowerCase());
  if (setting.types.includes("array")) return text.split(",").map((part) => part.trim());
  return text;
}

export function read(values: unknown, path: readonly string[]): unknown {
  let at: unknown = values;
  for (const key of path) {
    if (at === null || typeof at !== "object") return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function write(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = values;
  for (const key of path.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1) as string] = value;
}
