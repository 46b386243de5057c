import type { Reporter } from "../reporter.js";
import type { KeyEntry } from "./document.js";
import { readKeyFile } from "./key-file.js";
import { type KeyPlace, keyFileOf } from "./place.js";

export interface ListKeysOptions extends KeyPlace {
  report: Reporter;
}

export async function listKeys(options: ListKeysOptions): Promise<{ file: string; keys: KeyEntry[] }> {
  const file = await keyFileOf(options);
  const keys = (await readKeyFile(file)) ?? [];
  if (keys.length === 0) {
    options.report({
      type: "note",
      message: `No keys in ${file}. \`modelship keys create NAME\` makes one.`,
    });
  }
  return { file, keys };
}
