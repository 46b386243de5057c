/** The keys as text: the document that `modelship keys` writes, or a plain list. */
import { createHash } from "node:crypto";
import { periods, type Rate } from "../settings.js";
import { type Key, KeyRing, KeysError, maxKeyBytes, scopes } from "./keys.js";

export const maxKeys = 10_000;
/** Of a key that somebody thought up. It also tells the padding of a base64 key from a key after its name. */
const minPlainLength = 16;
const ourKey = /^ms_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/;

/** A JSON document, or entries `name=KEY`, `KEY` and `name=sha256:HEX` with commas or new lines between them. */
export function parseKeys(given: string): Key[] {
  const text = given.replace(/^\uFEFF/, "").trim();
  if (text === "") throw new KeysError("there is nothing in it");
  const keys = /^[{[]/.test(text) ? fromDocument(text) : fromList(text);
  new KeyRing(keys);
  return keys;
}

function fromList(text: string): Key[] {
  const entries = text
    .split(/[,\r\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  bound(entries.length);
  return entries.map((entry, index) => fromEntry(entry, index + 1));
}

function fromEntry(entry: string, number: number): Key {
  const equals = entry.indexOf("=");
  const name = equals < 0 ? `key-${number}` : entry.slice(0, equals).trim();
  const secret = equals < 0 ? entry : entry.slice(equals + 1).trim();
  if (!isName(name))
    throw new KeysError(
      `entry ${number} has no proper name before the =: up to 64 letters, digits and . _ @ -`,
    );
  const digest = hash(secret) ?? (isPlain(secret) ? createHash("sha256").update(secret).digest() : undefined);
  if (!digest) {
    throw new KeysError(
      `entry ${number} is no key: ${minPlainLength} to ${maxKeyBytes} visible ASCII characters are needed, ` +
        "with name= in front when there is a = in them",
    );
  }
  return { id: idOf(digest), name, digest, scopes: new Set(["predict"]) };
}

function isPlain(secret: string): boolean {
  return secret.length >= minPlainLength && secret.length <= maxKeyBytes && /^[!-~]+$/.test(secret);
}

function fromDocument(text: string): Key[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // The parser's own message may quote the text.
    throw new KeysError("it is not valid JSON");
  }
  const keys = isObject(document) && Object.keys(document).join() === "keys" ? document.keys : undefined;
  if (!Array.isArray(keys)) throw new KeysError('it must be an object with the one key "keys", a list');
  bound(keys.length);
  return keys.map((entry, index) => fromObject(entry, index + 1));
}

function fromObject(entry: unknown, number: number): Key {
  if (!isObject(entry)) throw new KeysError(`entry ${number} is not an object`);
  const unknown = Object.keys(entry).filter((field) => !Object.hasOwn(fields, field)).length;
  if (unknown > 0) {
    const known = Object.keys(fields).join(", ");
    throw new KeysError(`entry ${number} has ${unknown} unknown keys; known are ${known}`);
  }
  const read = <Value>(field: keyof typeof fields, reader: (value: unknown) => Value | undefined) => {
    const given = entry[field];
    const value = given === undefined || given === null ? undefined : reader(given);
    const needed = field === "name" || field === "hash" || field === "scopes";
    if (value !== undefined || (!needed && (given === undefined || given === null))) return value;
    const shown = typeof entry.name === "string" && isName(entry.name) ? entry.name : number;
    throw new KeysError(`entry ${shown} has a "${field}" that is not ${fields[field]}`);
  };
  const name = read("name", (value) => (typeof value === "string" && isName(value) ? value : undefined));
  const id = read("id", (value) => (typeof value === "string" && isId(value) ? value : undefined));
  const digest = read("hash", hash) as Buffer;
  const granted = read("scopes", scopeSet);
  read("created", time);
  return {
    id: id ?? idOf(digest),
    name: name as string,
    digest,
    scopes: granted as Set<string>,
    expires: read("expires", time),
    rateLimit: read("rate_limit", rate),
    maxConcurrency: read("max_concurrency", (value) => whole(value, 1e6)),
  };
}

/** Each field with what it has to be. The name goes first: errors tell the entry by it. */
const fields = {
  name: "up to 64 letters, digits and . _ @ -",
  id: "up to 64 letters, digits, _ and -",
  hash: "sha256: and 64 hexadecimal digits",
  scopes: `a list of ${scopes.join(", ")}`,
  created: "a time such as 2027-01-31T12:00:00Z",
  expires: "a time such as 2027-01-31T12:00:00Z",
  rate_limit: 'such as {"requests": 60, "per": "minute"}',
  max_concurrency: "a whole number from 1",
};

function bound(count: number): void {
  if (count > maxKeys) throw new KeysError(`there are more than ${maxKeys} keys in it`);
}

function idOf(digest: Buffer): string {
  return digest.toString("hex").slice(0, 10);
}

/** A key in the place of its name would be shown everywhere. */
function isName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(text) && !ourKey.test(text);
}

function isId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text) && !ourKey.test(text);
}

function hash(value: unknown): Buffer | undefined {
  const found = typeof value === "string" ? /^sha256:([0-9A-Fa-f]{64})$/.exec(value) : null;
  return found ? Buffer.from(found[1] as string, "hex") : undefined;
}

function scopeSet(value: unknown): Set<string> | undefined {
  const known: readonly unknown[] = scopes;
  if (!Array.isArray(value) || value.length === 0 || !value.every((one) => known.includes(one)))
    return undefined;
  return new Set(value);
}

function time(value: unknown): number | undefined {
  const shape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;
  if (typeof value !== "string" || !shape.test(value)) return undefined;
  const moment = Date.parse(value.toUpperCase());
  return Number.isNaN(moment) ? undefined : moment;
}

function whole(value: unknown, highest: number): number | undefined {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= highest
    ? (value as number)
    : undefined;
}

function rate(value: unknown): Rate | undefined {
  if (!isObject(value) || Object.keys(value).sort().join() !== "per,requests") return undefined;
  const requests = whole(value.requests, 1e9);
  const seconds =
    typeof value.per === "string" && Object.hasOwn(periods, value.per) ? periods[value.per] : undefined;
  return requests === undefined || seconds === undefined ? undefined : { requests, seconds };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
