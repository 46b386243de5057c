/** How much a key may ask: so many requests in a time, and so many at once. */
import { ApiError, type Header } from "../errors.js";
import type { Rate } from "../settings.js";
import { maxKeys } from "./key-list.js";
import type { Key } from "./keys.js";

/** More than can be configured at once: what a key has used outlives a reload of the keys. */
const maxAccounts = 2 * maxKeys;

/** It holds `limit` tokens and gets that many back in each period, steadily. Times are in seconds. */
export class TokenBucket {
  readonly limit: number;
  readonly #perSecond: number;
  #missing = 0;
  #at: number;

  constructor({ requests, seconds }: Rate, now: number, missing = 0) {
    this.limit = requests;
    this.#perSecond = requests / seconds;
    this.#missing = missing;
    this.#at = now;
  }

  take(now: number): boolean {
    this.settle(now);
    if (this.#missing + 1 > this.limit) return false;
    this.#missing += 1;
    return true;
  }

  /** Put in what has come back by now: the answers below are as of the last time. */
  settle(now: number): void {
    this.#missing = Math.max(0, this.#missing - (now - this.#at) * this.#perSecond);
    this.#at = now;
  }

  get missing(): number {
    return this.#missing;
  }

  get remaining(): number {
    return Math.floor(this.limit - this.#missing);
  }

  /** Until it is full. */
  get resetS(): number {
    return Math.ceil(this.#missing / this.#perSecond);
  }

  /** Until there is a token. */
  get retryAfterS(): number {
    return Math.max(0, Math.ceil((this.#missing + 1 - this.limit) / this.#perSecond));
  }
}

class Account {
  key: Key | undefined;
  running = 0;
  bucket: TokenBucket | undefined;
  maxConcurrency: number | undefined;
  #heldS = 0;

  setLimits(key: Key | undefined, rate: Rate | undefined, most: number | undefined, now: number): void {
    this.key = key;
    this.maxConcurrency = most;
    // As many tokens are gone as before the keys were read again.
    this.bucket = rate && new TokenBucket(rate, now, Math.min(rate.requests, this.bucket?.missing ?? 0));
  }

  headers(): Header[] {
    const { bucket } = this;
    if (!bucket) return [];
    return [
      ["x-ratelimit-limit-requests", `${bucket.limit}`],
      ["x-ratelimit-remaining-requests", `${bucket.remaining}`],
      ["x-ratelimit-reset-requests", `${bucket.resetS}`],
    ];
  }

  endOne(heldS: number): void {
    this.running -= 1;
    this.#heldS += (heldS - this.#heldS) / 8;
  }

  /** When one of the running requests may have ended, going by how long such requests took. */
  get freeInS(): number {
    return Math.ceil(this.#heldS / Math.max(1, this.running));
  }

  isIdle(now: number): boolean {
    this.bucket?.settle(now);
    return this.running === 0 && (this.bucket?.resetS ?? 0) === 0;
  }
}

/** A request that was let in; `leave` when it has been answered. `headers` are for its answer. */
export interface Admission {
  headers: readonly Header[];
  leave: () => void;
}

/** `rate` and `maxConcurrency` are for keys that have none of their own, and for a service without keys. */
export class Limits {
  readonly #rate: Rate | undefined;
  readonly #maxConcurrency: number | undefined;
  readonly #clock: () => number;
  readonly #accounts = new Map<string | undefined, Account>();

  constructor(
    rate: Rate | undefined,
    maxConcurrency: number | undefined,
    clock = () => performance.now() / 1000,
  ) {
    this.#rate = rate;
    this.#maxConcurrency = maxConcurrency;
    this.#clock = clock;
  }

  /** Lets a request in, or throws 429. undefined: a service without keys, all of whose callers share one account. */
  enter(key: Key | undefined): Admission {
    const now = this.#clock();
    let account = this.#accounts.get(key?.id);
    // After a reload a key is a new object, and may have new limits.
    if (account === undefined || account.key !== key) account = this.#renewed(account, key, now);
    const { bucket, maxConcurrency } = account;
    if (maxConcurrency !== undefined && account.running >= maxConcurrency) {
      bucket?.settle(now);
      const message = `at most ${maxConcurrency} requests at a time`;
      throw refusal("too_many_requests", message, account, account.freeInS);
    }
    if (bucket && !bucket.take(now)) {
      const message = "too many requests; Retry-After says when there is room again";
      throw refusal("rate_limited", message, account, bucket.retryAfterS);
    }
    account.running += 1;
    const admitted = account;
    let over = false;
    return {
      headers: account.headers(),
      leave: () => {
        if (!over) admitted.endOne(this.#clock() - now);
        over = true;
      },
    };
  }

  #renewed(known: Account | undefined, key: Key | undefined, now: number): Account {
    if (!known && this.#accounts.size >= maxAccounts) this.#forget(now);
    const account = known ?? new Account();
    account.setLimits(key, key?.rateLimit ?? this.#rate, key?.maxConcurrency ?? this.#maxConcurrency, now);
    this.#accounts.set(key?.id, account);
    return account;
  }

  /** Make room, for which keys must have come and gone by the thousand: the idle ones go, or else the oldest. */
  #forget(now: number): void {
    const names = [...this.#accounts.keys()];
    const idle = names.filter((name) => this.#accounts.get(name)?.isIdle(now));
    for (const name of idle.length > 0 ? idle : names.slice(0, 1)) this.#accounts.delete(name);
  }
}

function refusal(code: string, message: string, account: Account, retryAfterS: number): ApiError {
  const headers: Header[] = [["retry-after", `${Math.max(1, retryAfterS)}`], ...account.headers()];
  return new ApiError(429, code, message, { headers });
}
