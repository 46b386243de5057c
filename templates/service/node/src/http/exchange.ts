/** One request and its answer: what is done around every handler. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, type Family, type Header, notReady } from "../errors.js";
import type { Admission } from "../guard/limits.js";
import type { Service } from "../service.js";
import { type Answer, isStream, type StreamAnswer } from "./answer.js";
import type { Cors } from "./cors.js";
import { challenge, fixedHeaders } from "./headers.js";
import { ClientGone, Request } from "./request.js";
import { familyOf, type Methods, type Route, type Router } from "./router.js";

const gone = 499;
const maxHeaders = 100;

/** What the metrics count as turned away, by reason. */
const rejections = new Set([
  ...["body_too_large", "expired_key", "forbidden", "headers_too_large", "invalid_key", "not_ready"],
  ...["overloaded", "rate_limited", "request_timeout", "timeout", "too_many_requests", "unauthorized"],
]);

export class Exchange {
  readonly #service: Service;
  readonly #cors: Cors;
  readonly #request: Request;
  readonly #response: ServerResponse;
  readonly #methods: Methods | undefined;
  readonly #route: Route | undefined;
  readonly #abort = new AbortController();
  readonly #started = performance.now();
  readonly #tooManyHeaders: boolean;
  #admission: Admission | undefined;
  #status = gone;
  #code: string | undefined;

  constructor(
    message: IncomingMessage,
    response: ServerResponse,
    service: Service,
    router: Router,
    cors: Cors,
  ) {
    this.#service = service;
    this.#cors = cors;
    this.#response = response;
    const request = new Request(message, response, service.settings, this.#abort.signal);
    this.#request = request;
    this.#tooManyHeaders = message.rawHeaders.length > 2 * maxHeaders;
    const { methods, params } = router.find(request.path, request.rawPath);
    request.params = params;
    this.#methods = methods;
    this.#route = methods?.get(request.method === "HEAD" ? "GET" : request.method);
    service.metrics.inFlight += 1;
    response.once("close", () => {
      if (!response.writableFinished) this.#abort.abort(new ClientGone());
    });
  }

  /** The time for draining is up. Whoever waits gets an answer all the same. */
  giveUp(): void {
    this.#abort.abort(notReady("the service is shutting down"));
  }

  async run(): Promise<void> {
    try {
      const answer = await this.#answer();
      if (isStream(answer)) await this.#stream(answer);
      else await this.#write(answer);
    } catch (problem) {
      if (!(problem instanceof ClientGone)) throw problem;
      this.#status = gone;
      this.#code = "client_gone";
    } finally {
      this.#close();
    }
  }

  async #answer(): Promise<Answer | StreamAnswer> {
    try {
      if (this.#cors.isPreflight(this.#request)) return this.#cors.preflight(this.#request);
      return await this.#admit().handler(this.#service, this.#request);
    } catch (problem) {
      return this.#told(problem);
    }
  }

  /** The route, once the request may have it. Throws ApiError. */
  #admit(): Route {
    const request = this.#request;
    const route = this.#route;
    if (this.#tooManyHeaders)
      throw new ApiError(431, "headers_too_large", "the head of the request is too large");
    if (route?.scope !== "open") {
      const { guard } = this.#service;
      request.key = guard.identify(request.headers);
      this.#admission = guard.admit(request.key, route?.scope);
    }
    if (!route) throw noRoute(this.#methods);
    return route;
  }

  /** What the caller is told of it. Throws it again where there is no caller any more. */
  #told(problem: unknown): Answer {
    if (problem instanceof ClientGone) throw problem;
    const request = this.#request;
    const route = this.#route;
    const error = this.#errorOf(problem);
    this.#code = error.code;
    const family: Family = route?.family ?? familyOf(request.path);
    const headers = [...error.headers];
    if (rejections.has(error.code)) this.#service.metrics.rejected(error.code);
    if (error.status === 401) {
      headers.push(challenge(this.#service.settings.name));
      const locked = route?.locked;
      if (locked) return { ...locked, status: 401, headers: [...(locked.headers ?? []), ...headers] };
    }
    return { status: error.status, body: error.body(request.id, family), headers };
  }

  #errorOf(problem: unknown): ApiError {
    if (problem instanceof ApiError) return problem;
    const traceback = problem instanceof Error ? problem.stack : String(problem);
    this.#service.log.write("error", "internal_error", { request_id: this.#request.id, traceback });
    return new ApiError(500, "internal_error", "the service failed on this request; its log has the reason");
  }

  #head(status: number, type: string, own: readonly Header[], length?: number): void {
    const response = this.#response;
    this.#status = status;
    const headers = [...fixedHeaders(type), ["x-request-id", this.#request.id] as const];
    if (length !== undefined) headers.push(["content-length", `${length}`]);
    // An answer that has limits of its own to tell, those of the queue, tells these.
    if (!own.some(([name]) => name.includes("ratelimit"))) headers.push(...(this.#admission?.headers ?? []));
    headers.push(...this.#cors.headers(this.#request), ...own);
    if (this.#request.unread || this.#service.state === "draining") headers.push(["connection", "close"]);
    response.writeHead(status, headers.flat());
  }

  async #write(answer: Answer): Promise<void> {
    const { status, body, headers = [], type = "application/json" } = answer;
    const response = this.#response;
    const { signal } = this.#request;
    if (signal.aborted && signal.reason instanceof ClientGone) throw signal.reason;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    this.#head(status, type, headers, status === 204 ? undefined : bytes.length);
    if (this.#request.unread) {
      response.write(bytes);
      await this.#request.discardBody();
      response.end();
    } else {
      response.end(bytes);
    }
    await this.#taken();
  }

  async #stream({ chunks }: StreamAnswer): Promise<void> {
    const response = this.#response;
    try {
      this.#head(200, "text/event-stream", []);
      for await (const chunk of chunks) {
        if (!response.write(chunk)) await this.#taken("drain");
        if (response.destroyed) throw new ClientGone();
      }
      response.end();
      await this.#taken();
    } finally {
      await chunks.return(undefined);
    }
  }

  /** Waits until the client has taken what was written; one that takes nothing for long has its connection closed. */
  #taken(what: "drain" | "finish" = "finish"): Promise<void> {
    const response = this.#response;
    if (response.writableFinished) return Promise.resolve();
    if (response.destroyed) return Promise.reject(new ClientGone());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => response.destroy(), this.#service.settings.idleTimeoutS * 1000);
      const over = () => {
        clearTimeout(timer);
        response.off(what, over).off("close", over);
        if (response.destroyed && !response.writableFinished) reject(new ClientGone());
        else resolve();
      };
      response.on(what, over).on("close", over);
    });
  }

  /** It is over: what it held is free, and the metrics and the log have it. */
  #close(): void {
    this.#admission?.leave();
    const request = this.#request;
    const status = this.#status;
    const ms = performance.now() - this.#started;
    const route = this.#route?.template;
    const { metrics, log } = this.#service;
    metrics.inFlight -= 1;
    metrics.request(request.method, route, status, ms / 1000);
    const calm = this.#route?.scope === "open" ? "debug" : "info";
    const level = status >= 500 ? "error" : status >= 400 ? "warning" : calm;
    log.request(level, {
      method: request.method,
      route: route ?? null,
      status,
      ms: thousandths(ms),
      request_id: request.id,
      key: request.key?.name,
      rows: request.rows,
      queue_ms: request.queuedMs === undefined ? undefined : thousandths(request.queuedMs),
      code: this.#code,
      trace_id: request.traceId,
      body: request.shownBody,
    });
  }
}

function thousandths(ms: number): number {
  return Math.trunc(ms * 1000) / 1000;
}

function noRoute(methods: Methods | undefined): ApiError {
  if (!methods) return new ApiError(404, "not_found", "there is no such path");
  const names = [...methods.keys()];
  const allowed = (names.includes("GET") ? [...names, "HEAD"] : names).join(", ");
  return new ApiError(405, "method_not_allowed", `allowed here: ${allowed}`, {
    headers: [["allow", allowed]],
  });
}
