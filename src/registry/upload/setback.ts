import { systemCode, UserError } from "../../errors.js";
import type { Connection } from "../connection.js";
import { answerError, connectionError, errorsOf, isCertificateError } from "../errors.js";
import type { Answer } from "../transport.js";

/** How to go on: after a while, at once, or at once and from the beginning. */
export type GoOn = "later" | "now" | "anew";

/** An exchange that did not go as it should; another may. */
export class Setback extends Error {
  /** In a few words, for people. */
  readonly reason: string;
  readonly goOn: GoOn;
  readonly answer: Answer | undefined;

  constructor(reason: string, details: { goOn?: GoOn; answer?: Answer; cause?: unknown } = {}) {
    super(reason, { cause: details.cause });
    this.reason = reason;
    this.goOn = details.goOn ?? "later";
    this.answer = details.answer;
  }
}

const passing = new Set([401, 404, 408, 416, 429, 500, 502, 503, 504]);

const reasons: Record<string, string> = {
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  ETIMEDOUT: "no answer",
  ECONNREFUSED: "connection refused",
};

/** Runs one exchange; a broken connection is a setback, anything that no repetition mends is not. */
export async function withSetbacks<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || isCertificateError(error)) throw error;
    throw new Setback(reasons[code] ?? `connection failed (${code})`, { cause: error });
  }
}

/** What an answer that is no success means. */
export function refusal(connection: Connection, answer: Answer, name: string): Error {
  const ended = answer.status === 400 && codesOf(answer).some((code) => /^BLOB_UPLOAD_/.test(code));
  if (!ended && !passing.has(answer.status)) return answerError(connection.subject(name), answer);
  if (answer.status === 401) return new Setback("the login ran out", { answer, goOn: "now" });
  return new Setback(`HTTP ${answer.status}`, { answer });
}

export function codesOf(answer: Answer): string[] {
  return errorsOf(answer).flatMap(({ code }) => (typeof code === "string" ? [code] : []));
}

/** What the user is told when it went wrong too often. */
export async function asUserError(error: unknown, connection: Connection, name: string): Promise<unknown> {
  if (!(error instanceof Setback)) {
    return systemCode(error) === undefined ? error : connectionError(error, connection.registry);
  }
  const { answer, reason, cause } = error;
  if (answer?.status === 401) return connection.loginError(answer, name);
  if (answer) return answerError(connection.subject(name), answer);
  return new UserError("registry_failed", `The upload to ${name} broke off again and again.`, {
    why: `The last time: ${reason}.`,
    hint: "Check the network, then push again: what has arrived is not sent again.",
    cause,
  });
}
