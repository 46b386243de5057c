import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

export interface FakeEngine {
  host: string;
  requests: { method: string; url: string; headers: IncomingMessage["headers"] }[];
  /** The engine's side of the session, once one was opened. */
  session(): Promise<ClientHttp2Session>;
  close(): Promise<void>;
}

export type Answers = Record<string, (request: IncomingMessage, response: ServerResponse) => void>;

export function json(value: unknown, status = 200) {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
}

export const version = json({
  Version: "24.0.1+dfsg1",
  ApiVersion: "1.43",
  MinAPIVersion: "1.12",
  Os: "linux",
  Arch: "arm64",
});
export const info = json({
  Driver: "overlay2",
  DriverStatus: [["Backing Filesystem", "extfs"]],
  DockerRootDir: "/d",
});

/** An engine that says what a test wants, on a socket of its own. Keys of `answers`: paths without the version. */
export async function fakeEngine(answers: Answers = {}): Promise<FakeEngine> {
  const folder = await mkdtemp(join(tmpdir(), "modelship-fake-"));
  const path = join(folder, "engine.sock");
  const requests: FakeEngine["requests"] = [];
  const all: Answers = { "/version": version, "/info": info, ...answers };
  const sockets = new Set<Duplex>();
  let opened: (session: ClientHttp2Session) => void = () => {};
  const session = new Promise<ClientHttp2Session>((resolve) => {
    opened = resolve;
  });

  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, headers });
    const name = url.replace(/\?.*$/, "").replace(/^\/v[\d.]+\//, "/");
    (all[name] ?? json({ message: `page not found: ${name}` }, 404))(request, response);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket) => {
    requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    const client = connectHttp2("http://session", { createConnection: () => socket });
    client.on("error", () => {});
    opened(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    host: `unix://${path}`,
    requests,
    session: () => session,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await rm(folder, { recursive: true });
    },
  };
}
