import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { UserError } from "../errors.js";

/** One `--secret id=...,src=...` or `id=...,env=...`. */
export interface SecretSpec {
  id: string;
  from: { file: string } | { variable: string };
}

/** Parses `--secret`; the secret itself is never part of the text. Throws UserError `usage`. */
export function parseSecret(text: string): SecretSpec {
  const parts = new Map(text.split(",").map((part) => splitOnce(part, "=")));
  const id = parts.get("id");
  const file = parts.get("src") ?? parts.get("source");
  const variable = parts.get("env");
  const known = [...parts.keys()].every((key) => ["id", "src", "source", "env", "type"].includes(key));
  if (!id || !/^[\w.-]+$/.test(id) || !known || (file && variable)) {
    throw new UserError("usage", "--secret must look like id=NAME,src=FILE or id=NAME,env=VARIABLE.", {
      hint: "For example: --secret id=netrc,src=$HOME/.netrc",
    });
  }
  return { id, from: file ? { file } : { variable: variable || id } };
}

/** Readers for the build session; a missing file or variable is found before anything starts. */
export function secretReaders(
  specs: readonly SecretSpec[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): { id: string; read: () => Promise<Buffer> }[] {
  return specs.map(({ id, from }) => {
    if ("variable" in from) {
      const value = env[from.variable];
      if (value === undefined) {
        throw new UserError("usage", `--secret ${id}: the variable ${from.variable} is not set.`, {
          hint: "Set it, or name a file with src=FILE.",
        });
      }
      return { id, read: async () => Buffer.from(value) };
    }
    const file = resolve(cwd, from.file);
    return {
      id,
      read: () =>
        readFile(file).catch((error: Error) => {
          throw new UserError("usage", `--secret ${id}: ${from.file} cannot be read.`, {
            why: error.message,
            cause: error,
          });
        }),
    };
  });
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
