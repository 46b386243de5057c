/** The HTTP server: it listens at once and leaves without losing what it accepted. */
import { randomBytes } from "node:crypto";
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { routes } from "../api/routes.js";
import type { Service } from "../service.js";
import { Cors } from "./cors.js";
import { Exchange } from "./exchange.js";
import { fixedHeaders } from "./headers.js";
import { Router } from "./router.js";

/** What comes on open connections is answered for so long after a signal. */
const lingerMs = 500;
const lastWordsMs = 500;
/** How long what a refused client still sends is read: closing on it is a reset, which can take the answer with it. */
const refusedMs = 2000;
/** So many connections above the limit are told so; the others are closed without a word. */
const told = 256;
const backlog = 2048;

export class Server {
  readonly #service: Service;
  readonly #server: HttpServer;
  readonly #sockets = new Set<Socket>();
  readonly #exchanges = new Set<Exchange>();
  readonly #refused = new WeakSet<Socket>();
  #idle: () => void = () => {};

  constructor(service: Service) {
    const { settings } = service;
    this.#service = service;
    const router = new Router(routes(settings));
    const cors = new Cors(settings.corsOrigins);
    const handle = (message: IncomingMessage, response: ServerResponse) => {
      if (this.#refused.has(message.socket)) return void message.resume();
      return void this.#handle(new Exchange(message, response, service, router, cors));
    };
    this.#server = createServer(
      {
        maxHeaderSize: settings.maxHeaderBytes,
        headersTimeout: settings.headerTimeoutS * 1000,
        keepAliveTimeout: settings.idleTimeoutS * 1000,
        requestTimeout: 0, // a body has its own time limit
        connectionsCheckingInterval: 1000,
        requireHostHeader: false,
        noDelay: true,
      },
      handle,
    );
    // A client that has only finished sending still wants its answer.
    Object.assign(this.#server, { httpAllowHalfOpen: true, maxHeadersCount: 0 });
    this.#server.on("checkContinue", handle);
    this.#server.on("checkExpectation", handle);
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
      refuseHead(error, socket as Socket, settings.maxHeaderBytes),
    );
  }

  /** Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address ? address.port : port);
      });
    });
  }

  /** Stops listening, answers what still comes on open connections for a moment, then closes them. */
  async drain(hurry: AbortSignal): Promise<void> {
    const end = performance.now() + this.#service.settings.drainS * 1000;
    // The listener alone: http.Server.close would close connections on which a request may be on its way.
    NetServer.prototype.close.call(this.#server);
    if (this.#sockets.size > 0) await sleep(lingerMs, undefined, { signal: hurry }).catch(() => {});
    this.#server.closeIdleConnections();
    const left = Math.max(0, end - performance.now());
    if (!hurry.aborted && !(await this.#allOver(left, hurry))) {
      for (const exchange of this.#exchanges) exchange.giveUp();
      await this.#allOver(lastWordsMs, hurry);
    }
    this.#server.closeAllConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #handle(exchange: Exchange): Promise<void> {
    this.#exchanges.add(exchange);
    try {
      await exchange.run();
    } catch (error) {
      this.#service.log.write("error", "server", { message: (error as Error).stack });
    } finally {
      this.#exchanges.delete(exchange);
      if (this.#exchanges.size === 0) this.#idle();
    }
  }

  /** Whether all that was begun has been answered within that time. */
  #allOver(ms: number, hurry: AbortSignal): Promise<boolean> {
    if (this.#exchanges.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms, false);
      hurry.addEventListener("abort", () => resolve(false), { once: true });
      this.#idle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const excess = this.#sockets.size - this.#service.settings.maxConnections;
    if (excess <= 0) return;
    this.#refused.add(socket);
    const message = "too many connections are open: try again later";
    if (excess > told) socket.destroy();
    else refuse(socket, "503 Service Unavailable", "too_many_connections", message);
  }
}

function refuseHead(error: NodeJS.ErrnoException, socket: Socket, maxHeaderBytes: number): void {
  const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse };
  // Nothing can be said on a connection that is gone, or in the middle of another answer.
  if (error.code === "ECONNRESET" || !socket.writable || answering?.headersSent) socket.destroy();
  else if (error.code === "HPE_HEADER_OVERFLOW")
    refuse(
      socket,
      "431 Request Header Fields Too Large",
      "headers_too_large",
      `a head may have ${maxHeaderBytes} bytes at most`,
    );
  else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT")
    refuse(
      socket,
      "408 Request Timeout",
      "request_timeout",
      "the head of the request did not arrive in time",
    );
  else refuse(socket, "400 Bad Request", "bad_request", "this is not HTTP that can be understood");
}

/** An answer to what is no request yet, and the end of the connection. */
function refuse(socket: Socket, status: string, code: string, message: string): void {
  const id = randomBytes(12).toString("hex");
  const body = JSON.stringify({ error: { code, message, request_id: id } });
  const headers = [
    ...fixedHeaders("application/json"),
    ["content-length", `${Buffer.byteLength(body)}`],
    ["x-request-id", id],
    ...(status.startsWith("503") ? [["retry-after", "1"]] : []),
    ["connection", "close"],
  ];
  socket.end(
    `HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
  );
  socket.resume();
  setTimeout(() => socket.destroy(), refusedMs).unref();
}
