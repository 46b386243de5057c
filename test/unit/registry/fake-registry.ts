import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { digestOf } from "../../../src/registry/manifest.js";

export const certificate = new URL("fixtures/cert.pem", import.meta.url);
const key = new URL("fixtures/key.pem", import.meta.url);

export interface Seen {
  method: string;
  url: string;
  authorization: string | undefined;
  body: string;
}

export interface FakeServer {
  /** `127.0.0.1:PORT` */
  host: string;
  port: number;
  origin: string;
  seen: Seen[];
  close(): Promise<void>;
}

export type Handler = (request: Seen, response: ServerResponse, raw: IncomingMessage) => void;

/** A server on loopback that notes what it was asked. */
export async function serve(handler: Handler, options: { tls?: boolean } = {}): Promise<FakeServer> {
  const seen: Seen[] = [];
  const listener = async (raw: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of raw) chunks.push(chunk as Buffer);
    const entry: Seen = {
      method: raw.method ?? "",
      url: raw.url ?? "",
      authorization: raw.headers.authorization,
      body: Buffer.concat(chunks).toString(),
    };
    seen.push(entry);
    handler(entry, response, raw);
  };
  const server = options.tls
    ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, listener)
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    port,
    origin: `${options.tls ? "https" : "http"}://127.0.0.1:${port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function json(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
) {
  json(response, status, { errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] }, headers);
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

export const manifestBody = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  layers: [],
});

/** Answers as a registry that knows one manifest, under any name. */
export function registryHandler(): Handler {
  const manifests = new Map<string, string>();
  return ({ method, url, body }, response) => {
    if (url === "/v2/") return json(response, 200, {});
    const target = /^\/v2\/.+\/manifests\/(.+)$/.exec(url)?.[1];
    if (target === undefined) return problem(response, 404, "NAME_UNKNOWN");
    if (method === "PUT") {
      manifests.set(target, body);
      response.writeHead(201, { "docker-content-digest": digestOf(Buffer.from(body)) });
      return response.end();
    }
    const content = target === "1" ? manifestBody : manifests.get(target);
    if (content === undefined) return problem(response, 404, "MANIFEST_UNKNOWN");
    response.writeHead(method === "DELETE" ? 202 : 200, {
      "content-type": "application/vnd.oci.image.manifest.v1+json",
      "content-length": method === "DELETE" ? "0" : String(Buffer.byteLength(content)),
      "docker-content-digest": digestOf(Buffer.from(content)),
    });
    return response.end(method === "GET" ? content : undefined);
  };
}
