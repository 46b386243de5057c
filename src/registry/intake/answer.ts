import type { ServerResponse } from "node:http";

/** An answer that is no success, in a registry's words. */
export class Refusal extends Error {
  readonly status: number;
  /** As the distribution protocol names it: `BLOB_UNKNOWN`. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function answer(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: string | Buffer = "",
): void {
  response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers });
  response.end(body);
}

export function refuse(response: ServerResponse, refusal: Refusal): void {
  const body = JSON.stringify({ errors: [{ code: refusal.code, message: refusal.message }] });
  answer(response, refusal.status, { "content-type": "application/json" }, body);
}
