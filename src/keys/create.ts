import { throwIfAborted, UserError } from "../errors.js";
import type { Reporter } from "../reporter.js";
import { isName, type KeyEntry, type RateLimit } from "./document.js";
import { changeKeyFile } from "./key-file.js";
import { type KeyPlace, keyFileOf } from "./place.js";
import { makeKey } from "./secret.js";
import { toSecond } from "./terms.js";

export interface CreateKeyOptions extends KeyPlace {
  name: string;
  scopes: KeyEntry["scopes"];
  expires: string | null;
  rateLimit: RateLimit | null;
  maxConcurrency: number | null;
  now: Date;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface CreatedKey {
  /** The key itself: it is kept nowhere. */
  key: string;
  entry: KeyEntry;
  file: string;
}

/** Makes a key and puts its hash into the file. */
export async function createKey(options: CreateKeyOptions): Promise<CreatedKey> {
  const { name, report, signal } = options;
  if (!isName(name)) {
    throw new UserError("usage", "That is no name for a key.", {
      hint: "Up to 64 letters, digits and . _ @ - will do: `modelship keys create ci`.",
    });
  }
  const file = await keyFileOf(options);
  throwIfAborted(signal);
  const { id, key, hash } = makeKey();
  const entry: KeyEntry = {
    id,
    name,
    hash,
    scopes: options.scopes,
    created: toSecond(options.now),
    expires: options.expires,
    rate_limit: options.rateLimit,
    max_concurrency: options.maxConcurrency,
  };
  await changeKeyFile(
    file,
    (keys) => {
      if (keys.some((known) => known.name === name)) {
        throw new UserError("usage", `There is a key named ${name} already.`, {
          why: `It is in ${file}.`,
          hint: `Choose another name, or revoke it: \`modelship keys revoke ${name}\`.`,
        });
      }
      return [...keys, entry];
    },
    signal,
  );
  report({ type: "note", message: `Made the key ${name} (${id}); its hash is kept in ${file}.` });
  report({ type: "note", message: "The key itself is shown now and never again." });
  report({ type: "note", message: "Callers send it as a header: `X-API-Key: KEY`, or as a bearer token." });
  return { key, entry, file };
}
