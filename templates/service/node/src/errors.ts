/** An answer other than success, and how each family of routes words it. */

export type Family = "own" | "oip" | "openai" | "page";

export interface Detail {
  path: string;
  rule: string;
  type: string;
}

export type Header = readonly [name: string, value: string];

/** `message` is for the caller and quotes nothing of what they sent. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: readonly Header[];
  readonly details: readonly Detail[] | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { headers?: readonly Header[]; details?: readonly Detail[] } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = more.headers ?? [];
    this.details = more.details;
  }

  body(requestId: string, family: Family = "own"): string {
    const { code, message, details, status } = this;
    if (family === "oip") return JSON.stringify({ error: message });
    if (family === "openai") {
      const kind = status >= 500 ? "server_error" : "invalid_request_error";
      const type = openaiTypes[status] ?? kind;
      return JSON.stringify({ error: { message, type, param: details?.[0]?.path ?? null, code } });
    }
    return JSON.stringify({ error: { code, message, ...(details && { details }), request_id: requestId } });
  }
}

const openaiTypes: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

export function invalid(details: readonly Detail[]): ApiError {
  const first = details[0] as Detail;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : "";
  return new ApiError(422, "invalid_input", `${first.path}: ${first.rule}${more}`, { details });
}

export function refused(path: string, rule: string, type: string): ApiError {
  return invalid([{ path, rule, type }]);
}

export function badJson(reason: string): ApiError {
  return new ApiError(400, "invalid_json", `the body is not the JSON that is expected: ${reason}`);
}

export function malformed(message: string): ApiError {
  return new ApiError(400, "bad_request", message);
}

export function notReady(message: string): ApiError {
  return new ApiError(503, "not_ready", message, { headers: [["retry-after", "1"]] });
}
