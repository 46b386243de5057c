import { throwIfAborted, UserError } from "../errors.js";
import type { Reporter } from "../reporter.js";
import type { KeyEntry } from "./document.js";
import { changeKeyFile, readKeyFile } from "./key-file.js";
import { type KeyPlace, keyFileOf } from "./place.js";

export interface RevokeKeyOptions extends KeyPlace {
  nameOrId: string;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** Takes a key out of the file: whoever has it is not let in any more. */
export async function revokeKey(options: RevokeKeyOptions): Promise<{ file: string; entry: KeyEntry }> {
  const { nameOrId, report, signal } = options;
  const file = await keyFileOf(options);
  throwIfAborted(signal);
  // Nothing to change, nothing made: no folder, no empty file.
  let entry = find((await readKeyFile(file)) ?? [], nameOrId, file);
  await changeKeyFile(
    file,
    (keys) => {
      entry = find(keys, nameOrId, file);
      return keys.filter((key) => key !== entry);
    },
    signal,
  );
  report({
    type: "note",
    message: `Revoked the key ${entry.name} (${entry.id}). A running service takes notice within seconds.`,
  });
  return { file, entry };
}

function find(keys: readonly KeyEntry[], nameOrId: string, file: string): KeyEntry {
  const [found, ...others] = keys.filter(({ id, name }) => name === nameOrId || id === nameOrId);
  if (found && others.length === 0) return found;
  if (found) {
    throw new UserError("usage", `${nameOrId} is the name of one key and the id of another.`, {
      hint: "Use the other one of name and id: `modelship keys list` shows both.",
    });
  }
  throw new UserError("usage", "There is no key of that name or id.", {
    why: `${file} does not have it.`,
    hint: "`modelship keys list` shows the keys.",
  });
}
