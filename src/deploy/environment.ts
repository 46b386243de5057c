import { UserError } from "../errors.js";

/** Variables of a container by name. Values are secrets: they never reach an error, a label or the talk. */
export type Environment = ReadonlyMap<string, string>;

/** The `--env` flags: `KEY=VALUE`, or `KEY` alone for the value it has on this machine (left out where it has none). */
export function parseEnvironmentFlags(entries: readonly string[], host: NodeJS.ProcessEnv): Environment {
  const found = new Map<string, string>();
  for (const [index, entry] of entries.entries()) {
    const problem = add(found, entry, host);
    // What follows may be a secret that lost its name, so it is not repeated.
    if (problem)
      throw new UserError("usage", `--env number ${index + 1} ${problem}.`, {
        hint: "Write --env NAME=VALUE, or --env NAME to pass on the value that it has here.",
      });
  }
  return found;
}

/**
 * A file in docker's format: a variable a line, everything after the first `=` as it is (quotes stay quotes), `#` at
 * the start of a line for a comment, a name alone for this machine's value.
 */
export function parseEnvironmentFile(bytes: Buffer, shown: string, host: NodeJS.ProcessEnv): Environment {
  const found = new Map<string, string>();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError("usage", `${shown} is not UTF-8 text.`, { hint: "Save it as UTF-8.", cause });
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const problem = add(found, entry, host);
    if (problem)
      throw new UserError("usage", `${shown}, line ${index + 1}: the line ${problem}.`, {
        hint: "Write NAME=VALUE, one a line.",
      });
  }
  return found;
}

/** Later ones win. */
export function mergeEnvironments(...environments: readonly Environment[]): Environment {
  return new Map(environments.flatMap((environment) => [...environment]));
}

/** As the engine's API wants it. */
export function environmentList(environment: Environment): string[] {
  return [...environment].map(([name, value]) => `${name}=${value}`);
}

/** Takes one entry; says what is wrong with it, if anything, without quoting it. */
function add(into: Map<string, string>, entry: string, host: NodeJS.ProcessEnv): string | undefined {
  const equals = entry.indexOf("=");
  const name = equals < 0 ? entry.trimEnd() : entry.slice(0, equals);
  if (name === "") return "has no name before the =";
  if (/\s/.test(name)) return "has white space in the variable's name";
  const value = equals < 0 ? host[name] : entry.slice(equals + 1);
  if (value?.includes("\0") || name.includes("\0")) return "has a zero byte in it";
  if (value !== undefined) into.set(name, value);
  return undefined;
}
