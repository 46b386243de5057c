import { throwIfAborted, UserError } from "../errors.js";
import { routeOf, unreachable } from "./client.js";
import { send } from "./http.js";
import { rejection } from "./rejection.js";

export interface DocumentRequest {
  /** Where the service is, with a path before its routes where it has one. */
  url: string;
  apiKey?: string | undefined;
  /** Seconds to wait for all of it. */
  timeout: number;
  signal?: AbortSignal | undefined;
}

/** Of a model with hundreds of fields it has some hundred kilobytes. */
const mostBytes = 16 * 2 ** 20;

/**
 * What a service says of itself, at `/openapi.json` or another route. Throws `service_unreachable`, or
 * `request_rejected` with what it says instead.
 */
export async function fetchDocument(route: string, request: DocumentRequest): Promise<unknown> {
  const url = routeOf(request.url, route);
  const limit = AbortSignal.timeout(request.timeout * 1000);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  const { apiKey } = request;
  let answer: { status: number; body: Buffer; retryAfter: string | undefined };
  try {
    const got = await send({
      method: "GET",
      url,
      headers: { accept: "application/json", ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      signal,
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of got as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > mostBytes) throw noSchema(url, "What it answers is larger than a schema.");
      chunks.push(chunk);
    }
    answer = {
      status: got.statusCode ?? 0,
      body: Buffer.concat(chunks),
      retryAfter: got.headers["retry-after"],
    };
  } catch (error) {
    throwIfAborted(request.signal);
    throw unreachable(error, url, limit.aborted ? request.timeout : undefined);
  }
  if (answer.status < 200 || answer.status >= 300) throw rejection(answer, apiKey !== undefined);
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch (cause) {
    throw noSchema(url, `What it answers at ${route} is no JSON.`, cause);
  }
}

function noSchema(url: URL, why: string, cause?: unknown): UserError {
  return new UserError("input", `The service at ${url.origin} does not say what it takes.`, {
    why,
    hint: "Is it a modelship service? --url names the service, without the route.",
    cause,
  });
}
