import { UserError } from "../errors.js";

/** An answer that is no success. */
export interface Rejection {
  status: number;
  body: Buffer;
  retryAfter?: string | undefined;
}

/** The service's own words for why it did not answer the request. */
export function rejection(answer: Rejection, withKey: boolean): UserError {
  const said = readError(answer.body);
  const status = said.code ? `${answer.status} ${said.code}` : String(answer.status);
  return new UserError("request_rejected", said.message ?? `The service answered ${answer.status}.`, {
    why: `The service answered ${status}${said.requestId ? ` (request ${said.requestId})` : ""}.`,
    hint: hint(answer, withKey),
    excerpt: said.details,
  });
}

function hint(answer: Rejection, withKey: boolean): string | undefined {
  switch (answer.status) {
    case 401:
    case 403:
      return withKey
        ? "The key in MODELSHIP_API_KEY is not one that the service accepts."
        : "Put the service's key into the environment variable MODELSHIP_API_KEY.";
    case 404:
      return "Is it a modelship service? --url names the service, without the route.";
    case 429:
    case 503: {
      const seconds = /^\d+$/.test(answer.retryAfter ?? "") ? ` in ${answer.retryAfter} s` : "";
      return `Try again${seconds}.`;
    }
    case 500:
      return "`modelship logs` shows the model's own error.";
    default:
      return undefined;
  }
}

interface Said {
  code?: string;
  message?: string;
  requestId?: string;
  details: string[];
}

const mostDetails = 20;

function readError(body: Buffer): Said {
  const text = body.toString("utf8");
  let error: Record<string, unknown>;
  try {
    error = (JSON.parse(text) as { error: Record<string, unknown> }).error;
    if (typeof error !== "object" || error === null) throw new Error("no error object");
  } catch {
    // A proxy's page or another service: its first lines are all there is to show.
    return { details: text.split(/\r?\n/).filter(Boolean).slice(0, 5) };
  }
  const string = (key: string) => (typeof error[key] === "string" ? (error[key] as string) : undefined);
  const message = string("message");
  const code = string("code");
  const requestId = string("request_id");
  return {
    ...(message && { message }),
    ...(code && { code }),
    ...(requestId && { requestId }),
    // A single detail often repeats the message.
    details: detailLines(error.details).filter((line) => line !== message),
  };
}

/** `rows[0].pixels: has 63 items, needs 64`, from whatever shape the details have. */
function detailLines(details: unknown): string[] {
  if (details === undefined || details === null) return [];
  const list = Array.isArray(details) ? details : [details];
  const lines = list.map((detail: unknown) => {
    if (typeof detail !== "object" || detail === null) return String(detail);
    const fields = detail as Record<string, unknown>;
    const { path = fields.loc ?? fields.field, message = fields.msg ?? fields.rule } = fields;
    if (message === undefined) return JSON.stringify(detail);
    const where = Array.isArray(path) ? path.join(".") : path;
    return where === undefined || where === "" ? String(message) : `${String(where)}: ${String(message)}`;
  });
  const more = lines.length - mostDetails;
  return more > 0 ? [...lines.slice(0, mostDetails), `and ${more} more`] : lines;
}
