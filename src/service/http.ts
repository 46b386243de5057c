import { type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http";
import { request as secureRequest } from "node:https";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream";

export interface HttpRequest {
  method: "GET" | "POST";
  url: URL;
  headers?: Readonly<Record<string, string>>;
  /** A stream is sent as it comes. */
  body?: Buffer | Readable | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * One request on a connection of its own. Resolves with the answer's head, also when the service answers before it
 * has read all of the body. No time limit but the signal's: models may take long.
 */
export function send(request: HttpRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url, headers, body, signal } = request;
    const options: RequestOptions = { method, headers: { ...headers, connection: "close" }, agent: false };
    if (signal) options.signal = signal;
    const outgoing = (url.protocol === "https:" ? secureRequest : plainRequest)(url, options);
    let answered = false;
    outgoing.once("response", (answer) => {
      answered = true;
      resolve(answer);
    });
    outgoing.on("error", (error) => {
      // A service that has answered may close before it has read the rest: its answer counts.
      if (!answered) reject(error);
    });
    if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body);
    else
      pipeline(body, outgoing, (error) => {
        if (error && !answered) outgoing.destroy(error);
      });
  });
}

/** All of an answer's body. */
export async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
