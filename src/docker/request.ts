import type { IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import type { Docker } from "./client.js";

/** A request to the engine that dockerode's own methods do not cover as we need it. */
export interface EngineRequest {
  method: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  /** `/build`, without a version and a query. */
  path: string;
  /** Objects are sent as JSON, arrays as repeated keys, `undefined` is left out. */
  query?: Record<string, unknown>;
  /** JSON. */
  body?: object;
  /** Raw, in place of `body`. An empty Buffer sends `Content-Length: 0`. */
  file?: Buffer | Readable;
  headers?: Record<string, string | string[]>;
  signal?: AbortSignal | undefined;
}

const success = { 200: true, 201: true, 202: true, 204: true } as const;

/** The answer as a stream of its body. Rejects on a status that is no success, and when `signal` fires before it. */
export async function streamRequest(docker: Docker, request: EngineRequest): Promise<IncomingMessage> {
  return (await dial(docker, request, { isStream: true })) as IncomingMessage;
}

/** The answer's body as JSON. */
export async function jsonRequest<T>(docker: Docker, request: EngineRequest): Promise<T> {
  return (await dial(docker, request, {})) as T;
}

/** Turns the connection into a raw two-way stream. Rejects where the engine answers instead of upgrading. */
export async function upgradeRequest(docker: Docker, request: EngineRequest): Promise<Duplex> {
  const answer = await dial(docker, request, { hijack: true, statusCodes: {} });
  return answer as Duplex;
}

function dial(docker: Docker, request: EngineRequest, mode: object): Promise<unknown> {
  const query = Object.fromEntries(
    Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined),
  );
  const asked = Object.keys(query).length > 0;
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: asked ? `${request.path}?` : request.path,
        method: request.method,
        // An empty `_body` makes docker-modem send none.
        options: { ...(asked && { _query: query }), _body: request.body ?? {} },
        statusCodes: success,
        ...(request.file !== undefined && { file: request.file }),
        ...(request.headers && { headers: request.headers }),
        ...(request.signal && { abortSignal: request.signal }),
        ...mode,
      },
      (error: Error | null, answer: unknown) => {
        if (error) reject(error);
        else resolve(answer);
      },
    );
  });
}
