import type { Readable } from "node:stream";
import { messageOf, systemCode, throwIfAborted, UserError } from "../errors.js";
import { readBody, send } from "./http.js";
import { Prediction } from "./prediction.js";
import { rejection } from "./rejection.js";

const longestProbeMs = 2000;

/** Whether the service takes requests now. A connection alone says nothing: a port proxy accepts for a dead service. */
export async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(longestProbeMs)]);
    const answer = await send({ method: "GET", url: new URL("/readyz", url), signal: limit });
    answer.resume();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

export interface PredictRequest {
  /** Where the service is: `http://127.0.0.1:8080`, a path before `/v1/predict`, or all of it. */
  url: string;
  body: Buffer | Readable;
  /** Bytes of a streamed body, where they are known. */
  length?: number | undefined;
  apiKey?: string | undefined;
  /** Seconds to wait for the whole answer. */
  timeout: number;
  signal?: AbortSignal | undefined;
}

/** Sends one request. Throws `service_unreachable`, or `request_rejected` with what the service says. */
export async function predict(request: PredictRequest): Promise<Prediction> {
  const url = predictUrl(request.url);
  const limit = AbortSignal.timeout(request.timeout * 1000);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  const length = Buffer.isBuffer(request.body) ? request.body.length : request.length;
  let answer: { status: number; body: Buffer; contentType: string; retryAfter: string | undefined };
  try {
    const got = await send({
      method: "POST",
      url,
      headers: {
        "content-type": "application/json",
        accept: "application/json, */*;q=0.5",
        ...(length !== undefined && { "content-length": String(length) }),
        ...(request.apiKey && { authorization: `Bearer ${request.apiKey}` }),
      },
      body: request.body,
      signal,
    });
    answer = {
      status: got.statusCode ?? 0,
      contentType: got.headers["content-type"] ?? "",
      retryAfter: got.headers["retry-after"],
      body: await readBody(got),
    };
  } catch (error) {
    throwIfAborted(request.signal);
    throw unreachable(error, url, limit.aborted ? request.timeout : undefined);
  }
  if (answer.status >= 200 && answer.status < 300) return new Prediction(answer.body, answer.contentType);
  throw rejection(answer, request.apiKey !== undefined);
}

const predictPath = "/v1/predict";

export function predictUrl(text: string): URL {
  return routeOf(text, predictPath);
}

/** Where a route is: `text` may name the service, or a route of it already. */
export function routeOf(text: string, route: string): URL {
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(text) ? text : `http://${text}`);
  } catch (cause) {
    throw new UserError("usage", `"${text}" is no address of a service.`, {
      hint: "Write it as http://127.0.0.1:8080.",
      cause,
    });
  }
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith(route) ? path : path + route;
  return url;
}

/** What is told when there is no answer; `seconds`: because the time was up. */
export function unreachable(error: unknown, url: URL, seconds: number | undefined): UserError {
  if (error instanceof UserError) return error;
  // The origin alone: an address may carry a key in its query or its user name.
  const where = url.origin;
  if (seconds !== undefined)
    return new UserError(
      "service_unreachable",
      `The service at ${where} did not answer within ${seconds} s.`,
      {
        hint: "Give it longer with --timeout, or look at `modelship logs`.",
        cause: error,
      },
    );
  const code = systemCode(error);
  const why: Readonly<Record<string, string>> = {
    ECONNREFUSED: "Nothing listens there.",
    ECONNRESET: "It closed the connection without an answer.",
    ENOTFOUND: `There is no host "${url.hostname}".`,
    EAI_AGAIN: `The name "${url.hostname}" cannot be looked up just now.`,
  };
  return new UserError("service_unreachable", `The service at ${where} cannot be reached.`, {
    why: why[code ?? ""] ?? messageOf(error),
    hint: "`modelship ps` shows what runs and where; `modelship logs` shows what it says.",
    cause: error,
  });
}
