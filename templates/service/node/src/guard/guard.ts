/** Whether a request gets in: its key, what the key may do, and how much of it. */
import type { IncomingHttpHeaders } from "node:http";
import { ApiError } from "../errors.js";
import type { KeySource } from "./key-file.js";
import { allows, type Key, presentedKey, type Scope } from "./keys.js";
import type { Admission, Limits } from "./limits.js";

/** Every route but the probes asks here, also for paths that do not exist: who has no key learns nothing. */
export class Guard {
  readonly #source: KeySource;
  readonly #limits: Limits;

  constructor(source: KeySource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
  }

  /** Whose key it is; undefined for a service without keys. Throws ApiError 401. */
  identify(headers: IncomingHttpHeaders): Key | undefined {
    if (!this.#source.configured) return undefined;
    const presented = presentedKey(headers);
    if (!presented) {
      const message = "an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY";
      throw new ApiError(401, "unauthorized", message);
    }
    const key = this.#source.ring.find(presented);
    if (key === undefined) throw new ApiError(401, "invalid_key", "this API key is not known");
    if (key === "expired") throw new ApiError(401, "expired_key", "this API key has expired");
    return key;
  }

  /** `leave` the admission when the request is answered. Throws ApiError 403 or 429. */
  admit(key: Key | undefined, scope: Scope | undefined): Admission {
    if (key && scope !== undefined && !allows(key, scope))
      throw new ApiError(403, "forbidden", `this API key has no scope "${scope}"`);
    return this.#limits.enter(key);
  }
}
