/** API keys: what one is, which one a request presents, and whether it is known. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Rate } from "../settings.js";

export const scopes = ["predict", "admin", "metrics"] as const;
export type Scope = (typeof scopes)[number];
export const maxKeyBytes = 512;

/** The keys cannot be used. The message names an entry, and shows nothing that may be a secret. */
export class KeysError extends Error {}

export interface Key {
  id: string;
  name: string;
  /** SHA-256 of the whole key. */
  digest: Buffer;
  scopes: ReadonlySet<string>;
  /** Unix time in milliseconds. */
  expires?: number | undefined;
  rateLimit?: Rate | undefined;
  maxConcurrency?: number | undefined;
}

export function allows(key: Key, scope: Scope): boolean {
  return key.scopes.has(scope) || key.scopes.has("admin");
}

/** The keys that are known, each once. */
export class KeyRing {
  readonly #byDigest = new Map<string, Key>();

  constructor(keys: Iterable<Key>) {
    const names = new Set<string>();
    const ids = new Set<string>();
    for (const key of keys) {
      const digest = key.digest.toString("hex");
      const same = this.#byDigest.get(digest);
      if (names.has(key.name)) throw new KeysError(`two keys are named ${key.name}`);
      if (same) throw new KeysError(`${same.name} and ${key.name} are the same key`);
      if (ids.has(key.id)) throw new KeysError(`${key.name} has the id of another key`);
      names.add(key.name);
      ids.add(key.id);
      this.#byDigest.set(digest, key);
    }
  }

  get size(): number {
    return this.#byDigest.size;
  }

  /** How long it takes says nothing of how much of a key was right: only digests meet. */
  find(presented: Buffer, now = Date.now()): Key | "expired" | undefined {
    if (presented.length > maxKeyBytes) return undefined;
    const digest = createHash("sha256").update(presented).digest();
    const key = this.#byDigest.get(digest.toString("hex"));
    if (!key || !timingSafeEqual(key.digest, digest)) return undefined;
    return key.expires !== undefined && now >= key.expires ? "expired" : key;
  }
}

/** X-API-Key goes first: a proxy may need Authorization for itself. */
export function presentedKey(headers: IncomingHttpHeaders): Buffer | undefined {
  const given = headers["x-api-key"];
  if (given !== undefined) return bytes(String(given).trim());
  const [, scheme = "", value = ""] = /^(\S*) ?(.*)$/s.exec(headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return bytes(value.trim());
  if (scheme.toLowerCase() === "basic") return password(value.trim());
  return undefined;
}

/** Of Basic authentication, whoever the user is. */
function password(credentials: string): Buffer | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(credentials)) return undefined;
  const decoded = Buffer.from(credentials, "base64");
  const colon = decoded.indexOf(":");
  return colon < 0 || colon === decoded.length - 1 ? undefined : decoded.subarray(colon + 1);
}

/** Node reads headers as Latin-1. */
function bytes(text: string): Buffer | undefined {
  return text === "" ? undefined : Buffer.from(text, "latin1");
}
