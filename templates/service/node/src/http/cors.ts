/** Cross-origin requests: refused by every browser unless their exact origin is configured. */
import { ApiError, type Header } from "../errors.js";
import type { Answer } from "./answer.js";
import type { Request } from "./request.js";

const exposed =
  "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests";
const maxAgeS = 600;

export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: ReadonlySet<string>) {
    this.#origins = origins;
  }

  isPreflight({ method, headers }: Request): boolean {
    return (
      this.#origins.size > 0 && method === "OPTIONS" && headers["access-control-request-method"] !== undefined
    );
  }

  /** A browser sends no key with it, so it is answered without one, and says nothing of the service. */
  preflight({ headers }: Request): Answer {
    if (!this.#origins.has(headers.origin ?? ""))
      throw new ApiError(403, "forbidden", "this origin is not allowed");
    return {
      status: 204,
      body: "",
      headers: [
        ["access-control-allow-methods", "GET, POST, DELETE"],
        ["access-control-allow-headers", "authorization, content-type, x-api-key, x-request-id, traceparent"],
        ["access-control-max-age", `${maxAgeS}`],
      ],
    };
  }

  headers({ headers }: Request): Header[] {
    if (this.#origins.size === 0) return [];
    const { origin } = headers;
    if (origin === undefined || !this.#origins.has(origin)) return [["vary", "origin"]];
    return [
      ["access-control-allow-origin", origin],
      ["access-control-expose-headers", exposed],
      ["vary", "origin"],
    ];
  }
}
