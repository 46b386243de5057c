/**
 * Client of a modelship service, for Node.js 18 and newer, browsers, Deno and Bun. It depends on nothing.
 *
 // if known
 * Made by `modelship client typescript` from the service's schema. Make it again when the schema changes; do not
 * edit it.
 // end
 // if unknown
 * Made by modelship for a model whose types are not known yet: rows and outputs are any JSON here.
 * `modelship client typescript` makes it again with their types, from the service while it runs.
 // end
 *
 *     import { Client } from "./client.js";
 *
 *     const client = new Client();
 // if rows
 *     const output = await client.predict(row);
 *     const outputs = await client.predictMany(rows);
 // end
 // if pieces
 *     for await (const piece of await client.stream(row)) console.log(piece);
 // end
 // if chat
 *     const answer = await client.chat([{ role: "user", content: "Hello" }]);
 // end
 *
 * The address and the key come from the environment, MODELSHIP_URL and MODELSHIP_API_KEY, unless they are given. A key
 * does not belong into a page: call the service from a server of yours.
 // if openai
 * The service speaks OpenAI's API too: for all of it use the package `openai` with `baseURL: url + "/v1"` and this key.
 // end
 */

// section constants
const API = "v1";
const MODEL = "model";
const DEFAULT_URL = "http://127.0.0.1:8080";
const MAX_ROWS = 1024;
// end

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

// section types
export type Input = Json;
export type Output = Json;
// end

// if chat
/** As in OpenAI's API: `{ role: "user", content: "Hello" }`. */
export type Message = { role: string; content?: unknown; [name: string]: unknown };

// end
export interface ClientOptions {
  /** Address of the service; else MODELSHIP_URL. */
  url?: string | undefined;
  /** Else MODELSHIP_API_KEY. */
  apiKey?: string | undefined;
  /** Milliseconds for a request, with all its tries. */
  timeoutMs?: number | undefined;
  /** How often what may pass by (429, 502, 503, 504, broken connections) is tried again. */
  maxRetries?: number | undefined;
  /** Another `fetch`, such as one that goes through a proxy. */
  fetch?: typeof globalThis.fetch | undefined;
}

export interface CallOptions {
  /** Ends the request. */
  signal?: AbortSignal | undefined;
  /** For this request; for a stream: for its first piece, and for silence between pieces. */
  timeoutMs?: number | undefined;
}

/** What this client throws for a request: all other errors are its subclasses. */
export class ServiceError extends Error {
  override name = "ServiceError";
}

/** There was no answer: nothing listens there, or the connection broke. */
export class ServiceUnreachableError extends ServiceError {
  override name = "ServiceUnreachableError";
}

/** There was no answer in time. */
export class ServiceTimeoutError extends ServiceError {
  override name = "ServiceTimeoutError";
}

/** What is wrong in an input, and where. */
export interface ErrorDetail {
  path: string;
  rule: string;
  type: string;
}

interface Reason {
  status: number;
  code: string;
  message: string;
  requestId: string | undefined;
  details?: readonly ErrorDetail[];
  retryAfterMs?: number | undefined;
}

/** The service says why it does not answer the request. */
export class ApiError extends ServiceError {
  override name = "ApiError";
  readonly status: number;
  /** For programs; the message is for people. */
  readonly code: string;
  /** Finds the request in the service's log. */
  readonly requestId: string | undefined;
  readonly details: readonly ErrorDetail[];
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason) {
    const request = reason.requestId ? ` (request ${reason.requestId})` : "";
    super(`${reason.status} ${reason.code}: ${reason.message}${request}`);
    this.status = reason.status;
    this.code = reason.code;
    this.requestId = reason.requestId;
    this.details = reason.details ?? [];
    this.retryAfterMs = reason.retryAfterMs;
  }
}

/** The request is not what the service takes (4xx). */
export class BadRequestError extends ApiError {
  override name = "BadRequestError";
}

/** The model's types refuse the input (422): `details` has path and rule. */
export class InvalidInputError extends BadRequestError {
  override name = "InvalidInputError";
}

/** There is no key, or it is not good (401). */
export class AuthenticationError extends ApiError {
  override name = "AuthenticationError";
}

/** The key may not do this (403). */
export class PermissionDeniedError extends ApiError {
  override name = "PermissionDeniedError";
}

/** No such model, version or job (404). */
export class NotFoundError extends ApiError {
  override name = "NotFoundError";
}

/** A limit of the key or of the service (429), after all tries. */
export class RateLimitError extends ApiError {
  override name = "RateLimitError";
}

/** The model or the service failed (5xx). */
export class ServerError extends ApiError {
  override name = "ServerError";
}

/** The model failed after its first piece. */
export class StreamError extends ApiError {
  override name = "StreamError";
}

/** The job failed, or was cancelled. */
export class JobError extends ApiError {
  override name = "JobError";
}

/** Calls the service. */
export class Client {
  readonly #url: string;
  readonly #key: string;
  readonly #timeoutMs: number;
  readonly #maxRetries: number;
  readonly #fetch: typeof globalThis.fetch;
  readonly #closing = new AbortController();

  constructor(options: ClientOptions = {}) {
    this.#url = address(options.url || environment("MODELSHIP_URL") || DEFAULT_URL);
    this.#key = (options.apiKey ?? environment("MODELSHIP_API_KEY") ?? "").trim();
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#maxRetries = options.maxRetries ?? 3;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Ends what is on its way; a second time does nothing. */
  close(): void {
    this.#closing.abort(new ServiceError("the client is closed"));
  }

  // if rows
  /** The output for one row. */
  async predict(row: Input, options: CallOptions = {}): Promise<Output> {
    return only(await this.predictMany([row], options));
  }

  /** An output for each row, in the same order. What is too much for one request goes in several. */
  async predictMany(rows: readonly Input[], options: CallOptions = {}): Promise<Output[]> {
    const call = this.#call(options);
    const all: Output[] = [];
    for (let start = 0; start < rows.length; start += MAX_ROWS) {
      const part = rows.slice(start, start + MAX_ROWS);
      const answer = await this.#json(call, "POST", `/${API}/predict`, { rows: part });
      for (const output of outputs(answer, part.length)) all.push(output);
    }
    return all;
  }

  // end
  // if pieces
  /** The model's pieces, each as soon as it is there. */
  async stream(row: Input, options: CallOptions = {}): Promise<Stream<Output>> {
    const path = `/${API}/predict`;
    const request = { method: "POST", path, body: { rows: [row] }, accept: eventStream };
    const answer = await this.#open(this.#call(options), request);
    return new Stream(answer, {
      read: (data) => only(outputs(JSON.parse(data), 1)),
      isLast: (name) => name === "done",
    });
  }

  /** All pieces of the model at once. */
  async collect(row: Input, options: CallOptions = {}): Promise<Output[]> {
    const answer = await this.#json(this.#call(options), "POST", `/${API}/predict`, { rows: [row] });
    if (isObject(answer) && Array.isArray(answer.pieces)) return answer.pieces;
    return outputs(answer, 1);
  }

  // end
  // if jobs
  /** Predict for one row without waiting for it. */
  async startJob(row: Input, options: CallOptions = {}): Promise<Job<Output>> {
    return new Job(this.#asker(), await this.#startJob([row], options), only);
  }

  /** Predict for many rows, at most MAX_ROWS, without waiting for them. */
  async startJobMany(rows: readonly Input[], options: CallOptions = {}): Promise<Job<Output[]>> {
    return new Job(this.#asker(), await this.#startJob(rows, options), (all) => all);
  }

  /** A job that `startJob` started, maybe elsewhere. */
  async findJob(id: string, options: CallOptions = {}): Promise<Job<Output>> {
    const ask = this.#asker();
    return new Job(ask, await ask("GET", id, options), only);
  }

  /** A job that `startJobMany` started, maybe elsewhere. */
  async findJobMany(id: string, options: CallOptions = {}): Promise<Job<Output[]>> {
    const ask = this.#asker();
    return new Job(ask, await ask("GET", id, options), (all) => all);
  }

  async #startJob(rows: readonly Input[], options: CallOptions): Promise<JobAnswer> {
    // Asked twice, the service would have two jobs: only what it has surely not taken is sent again.
    const answer = await this.#json(this.#call(options), "POST", `/${API}/jobs`, { rows }, false);
    return jobAnswer(answer);
  }

  #asker(): AskForJob {
    return async (method, id, options) =>
      jobAnswer(await this.#json(this.#call(options), method, `/${API}/jobs/${encodeURIComponent(id)}`));
  }

  // end
  // if chat
  /** The model's answer to a conversation; `more` as in OpenAI's API: `max_tokens`, `temperature`, ... */
  async chat(messages: readonly Message[], more: object = {}, options: CallOptions = {}): Promise<string> {
    const body = { model: MODEL, messages, ...more };
    const answer = await this.#json(this.#call(options), "POST", "/v1/chat/completions", body);
    return textOf(firstChoice(answer).message, "content");
  }

  /** The same, piece by piece. */
  async chatStream(
    messages: readonly Message[],
    more: object = {},
    options: CallOptions = {},
  ): Promise<Stream<string>> {
    const body = { model: MODEL, messages, stream: true, ...more };
    return this.#texts("/v1/chat/completions", body, options, (choice) => textOf(choice.delta, "content"));
  }

  // end
  // if complete
  /** How the model goes on with a text. */
  async complete(prompt: string, more: object = {}, options: CallOptions = {}): Promise<string> {
    const body = { model: MODEL, prompt, ...more };
    return textOf(
      firstChoice(await this.#json(this.#call(options), "POST", "/v1/completions", body)),
      "text",
    );
  }

  /** The same, piece by piece. */
  async completeStream(
    prompt: string,
    more: object = {},
    options: CallOptions = {},
  ): Promise<Stream<string>> {
    const body = { model: MODEL, prompt, stream: true, ...more };
    return this.#texts("/v1/completions", body, options, (choice) => textOf(choice, "text"));
  }

  // end
  // if generates
  async #texts(
    path: string,
    body: object,
    options: CallOptions,
    text: (choice: Record<string, unknown>) => string,
  ): Promise<Stream<string>> {
    const request = { method: "POST", path, body, accept: eventStream };
    const answer = await this.#open(this.#call(options), request);
    return new Stream(answer, {
      read(data) {
        const event: unknown = JSON.parse(data);
        if (isObject(event) && event.error) throw said(StreamError, answer, event);
        return isObject(event) && Array.isArray(event.choices) && event.choices.length > 0
          ? text(firstChoice(event))
          : "";
      },
      isLast: (_, data) => data === "[DONE]",
    });
  }

  // end
  // if embed
  /** A vector for each text. What is too much for one request goes in several. */
  async embed(texts: readonly string[], more: object = {}, options: CallOptions = {}): Promise<number[][]> {
    const call = this.#call(options);
    const vectors: number[][] = [];
    for (let start = 0; start < texts.length; start += MAX_ROWS) {
      const body = { model: MODEL, input: texts.slice(start, start + MAX_ROWS), ...more };
      const answer = await this.#json(call, "POST", "/v1/embeddings", body);
      if (!isObject(answer) || !Array.isArray(answer.data)) throw notExpected();
      for (const one of answer.data) vectors.push(one.embedding);
    }
    return vectors;
  }

  // end
  #call(options: CallOptions): Call {
    return new Call(options.timeoutMs ?? this.#timeoutMs, [options.signal, this.#closing.signal]);
  }

  async #json(call: Call, method: string, path: string, body?: object, repeatable = true): Promise<unknown> {
    const answer = await this.#open(call, { method, path, body, accept: "application/json", repeatable });
    const text = await answer.text();
    try {
      return JSON.parse(text);
    } catch {
      const message = "the answer is not JSON: is this the address of the service?";
      throw new ApiError({ ...answer, code: "not_json", message });
    }
  }

  /** The head of a good answer, after as many tries as it takes and may take. */
  async #open(call: Call, request: ServiceRequest): Promise<Answer> {
    const { method, path, accept, repeatable = true } = request;
    const headers: Record<string, string> = { accept };
    const init: RequestInit = { method, headers, redirect: "manual" };
    if (request.body !== undefined) {
      init.body = JSON.stringify(request.body, plain);
      headers["content-type"] = "application/json";
    }
    if (this.#key) headers.authorization = `Bearer ${this.#key}`;
    for (let attempt = 0; ; attempt += 1) {
      let pauseMs = Math.min(8000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);
      let failure: ServiceError;
      let again: boolean;
      try {
        const response = await call.during((signal) => this.#fetch(this.#url + path, { ...init, signal }));
        const answer = new Answer(response, call);
        if (response.ok) return answer;
        const error = await answer.error();
        failure = error;
        again = mayRepeat(response, repeatable);
        if (error.retryAfterMs !== undefined)
          pauseMs = error.retryAfterMs + Math.random() * (100 + error.retryAfterMs / 10);
      } catch (error) {
        if (!(error instanceof Unsuccessful)) throw error;
        failure = unreachable(this.#url, error.cause);
        again = repeatable || wasNotSent(error.cause);
      }
      if (!again || attempt >= this.#maxRetries || !call.allows(pauseMs)) throw failure;
      await call.sleep(pauseMs);
    }
  }
}

interface ServiceRequest {
  method: string;
  path: string;
  body?: object | undefined;
  accept: string;
  /** Nothing is lost when the service gets it twice. */
  repeatable?: boolean;
}

// if streams
interface Reading<T> {
  read: (data: string) => T;
  isLast: (name: string, data: string) => boolean;
}

/** Pieces as they come. Leaving the loop, or `close()`, ends the request: the model stops then. */
export class Stream<T> implements AsyncIterable<T> {
  readonly requestId: string | undefined;
  readonly #answer: Answer;
  readonly #pieces: AsyncGenerator<T, void, undefined>;

  constructor(answer: Answer, reading: Reading<T>) {
    this.requestId = answer.requestId;
    this.#answer = answer;
    this.#pieces = this.#read(reading);
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.#pieces;
  }

  /** Stop, wherever it is; a second time does nothing. */
  close(): void {
    this.#answer.abort();
  }

  async *#read({ read, isLast }: Reading<T>): AsyncGenerator<T, void, undefined> {
    try {
      if (!this.#answer.isEvents) {
        yield read(await this.#answer.text());
        return;
      }
      for await (const { name, data } of events(this.#answer.chunks())) {
        if (isLast(name, data)) return;
        if (name === "error") throw said(StreamError, this.#answer, JSON.parse(data));
        yield read(data);
      }
      throw new ServiceUnreachableError("the stream ended before it was complete");
    } finally {
      this.#answer.abort();
    }
  }
}

/** Server-sent events. */
async function* events(chunks: AsyncIterable<string>): AsyncGenerator<{ name: string; data: string }> {
  let name = "message";
  let data: string[] = [];
  for await (const line of lines(chunks)) {
    if (line === "") {
      if (data.length > 0) yield { name, data: data.join("\n") };
      name = "message";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
}

/** Lines as they are complete; LF, CR LF and CR end them. */
async function* lines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += chunk;
    const held = rest.endsWith("\r") ? "\r" : ""; // an LF may follow
    const found = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
    rest = (found.pop() ?? "") + held;
    yield* found;
  }
}

// end
// if jobs
type JobStatus = "queued" | "succeeded" | "failed" | "cancelled";

interface JobAnswer {
  id: string;
  status: JobStatus;
  result?: unknown;
  error?: unknown;
}

type AskForJob = (method: "GET" | "DELETE", id: string, options: CallOptions) => Promise<JobAnswer>;

/** Work that goes on in the service. `status` is what it was when it was last asked. */
export class Job<T> {
  readonly #ask: AskForJob;
  readonly #take: (outputs: Output[]) => T;
  #answer: JobAnswer;

  constructor(ask: AskForJob, answer: JobAnswer, take: (outputs: Output[]) => T) {
    this.#ask = ask;
    this.#answer = answer;
    this.#take = take;
  }

  get id(): string {
    return this.#answer.id;
  }

  get status(): JobStatus {
    return this.#answer.status;
  }

  /** Ask the service how it stands. */
  async refresh(options: CallOptions = {}): Promise<this> {
    this.#answer = await this.#ask("GET", this.id, options);
    return this;
  }

  /** Its result. Throws JobError when it failed, ServiceTimeoutError when it is not over by then. */
  async wait(options: CallOptions = {}): Promise<T> {
    const call = new Call(options.timeoutMs ?? Number.POSITIVE_INFINITY, [options.signal]);
    for (let pauseMs = 100; this.status === "queued"; pauseMs = Math.min(5000, pauseMs * 1.5)) {
      if (!call.allows(pauseMs)) throw new ServiceTimeoutError(`the job ${this.id} is not over yet`);
      await call.sleep(pauseMs);
      await this.refresh({ signal: options.signal, ...(call.isLimited && { timeoutMs: call.restMs() }) });
    }
    return this.result();
  }

  /** Its result, of a job that is over. */
  result(): T {
    const { id, status, result, error } = this.#answer;
    if (status === "succeeded") return this.#take(outputs(result));
    const about = { status: 200, requestId: undefined };
    if (status === "failed") throw said(JobError, about, { error });
    const message = `the job ${id} ${status === "queued" ? "is not over yet" : "was cancelled"}`;
    throw new JobError({ ...about, code: status, message });
  }

  /** End it, or forget its result. */
  async cancel(options: CallOptions = {}): Promise<void> {
    this.#answer = await this.#ask("DELETE", this.id, options);
  }
}

function jobAnswer(answer: unknown): JobAnswer {
  if (!isObject(answer) || typeof answer.id !== "string") throw notExpected();
  return answer as unknown as JobAnswer;
}

// end
/** A request on its way: its time, and who may end it. */
class Call {
  readonly #ms: number;
  readonly #signals: readonly AbortSignal[];
  #end: number;

  constructor(ms: number, signals: readonly (AbortSignal | undefined)[]) {
    this.#ms = ms;
    this.#end = Date.now() + ms;
    this.#signals = signals.filter((signal) => signal !== undefined);
  }

  get isLimited(): boolean {
    return Number.isFinite(this.#ms);
  }

  restMs(): number {
    const rest = this.#end - Date.now();
    if (rest <= 0) throw this.#late();
    return rest;
  }

  allows(pauseMs: number): boolean {
    return Date.now() + pauseMs < this.#end;
  }

  /** The time starts again: something has come. */
  renew(): void {
    this.#end = Date.now() + this.#ms;
  }

  /**
   * Does the work with a signal that fires when the time is up or someone ends the request; throws what that was.
   * What fails for another reason is thrown as Unsuccessful.
   */
  async during<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const controller = new AbortController();
    const stop = () => controller.abort();
    for (const signal of this.#signals) {
      if (signal.aborted) throw signal.reason;
      signal.addEventListener("abort", stop);
    }
    const timer = this.isLimited ? setTimeout(stop, Math.min(this.restMs(), 2 ** 31 - 1)) : undefined;
    try {
      return await work(controller.signal);
    } catch (cause) {
      for (const signal of this.#signals) if (signal.aborted) throw signal.reason;
      if (controller.signal.aborted) throw this.#late();
      throw new Unsuccessful("", { cause });
    } finally {
      clearTimeout(timer);
      for (const signal of this.#signals) signal.removeEventListener("abort", stop);
    }
  }

  async sleep(ms: number): Promise<void> {
    await this.during(
      (signal) =>
        new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, ms);
          signal.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(signal.reason);
          });
        }),
    );
  }

  #late(): ServiceTimeoutError {
    return new ServiceTimeoutError(`no answer within ${this.#ms} ms`);
  }
}

/** Work that failed, and nobody ended it. */
class Unsuccessful extends Error {}

/** An answer whose head is there. */
class Answer {
  readonly status: number;
  readonly requestId: string | undefined;
  readonly isEvents: boolean;
  readonly #response: Response;
  readonly #call: Call;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #over = false;

  constructor(response: Response, call: Call) {
    this.status = response.status;
    this.requestId = response.headers.get("x-request-id") ?? undefined;
    this.isEvents = (response.headers.get("content-type") ?? "").startsWith(eventStream);
    this.#response = response;
    this.#call = call;
  }

  async text(): Promise<string> {
    let text = "";
    for await (const chunk of this.chunks()) text += chunk;
    return text;
  }

  /** What comes, as it comes. In a stream of events the limit is for silence alone. */
  async *chunks(): AsyncGenerator<string> {
    if (!this.#response.body || this.#over) return;
    const reader = this.#response.body.getReader();
    this.#reader = reader;
    const decoder = new TextDecoder();
    try {
      for (;;) {
        if (this.isEvents) this.#call.renew();
        const { done, value } = await this.#next(reader);
        if (done) break;
        yield decoder.decode(value, { stream: true });
      }
      this.#over = true;
      yield decoder.decode();
    } catch (error) {
      if (!(error instanceof Unsuccessful)) throw error;
      throw new ServiceUnreachableError("the answer broke off", { cause: error.cause });
    } finally {
      this.abort();
    }
  }

  #next(reader: ReadableStreamDefaultReader<Uint8Array>) {
    return this.#call.during(
      (signal) =>
        new Promise<Awaited<ReturnType<typeof reader.read>>>((resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          reader.read().then(resolve, reject);
        }),
    );
  }

  /** What the service says, when it is no success. */
  async error(): Promise<ApiError> {
    if (this.#response.type === "opaqueredirect" || (this.status >= 300 && this.status < 400)) {
      this.abort();
      const message = "the service is elsewhere: is the address https, and not http?";
      return new BadRequestError({ ...this, code: "redirect", message });
    }
    const body: unknown = await this.text()
      .then((text) => JSON.parse(text))
      .catch((error: unknown) => {
        if (error instanceof ServiceTimeoutError) throw error;
      });
    const other = this.status < 500 ? BadRequestError : ServerError;
    const retryAfterMs = milliseconds(this.#response.headers.get("retry-after"));
    return said(errorKinds.get(this.status) ?? other, this, body, retryAfterMs);
  }

  /** Leave it where it is: the connection is closed. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    const stopped = this.#reader ? this.#reader.cancel() : this.#response.body?.cancel();
    stopped?.catch(() => {});
  }
}

type ErrorKind = new (reason: Reason) => ApiError;

const eventStream = "text/event-stream";
const errorKinds: ReadonlyMap<number, ErrorKind> = new Map<number, ErrorKind>([
  [401, AuthenticationError],
  [403, PermissionDeniedError],
  [404, NotFoundError],
  [422, InvalidInputError],
  [429, RateLimitError],
]);

function said(
  Kind: ErrorKind,
  { status, requestId }: { status: number; requestId: string | undefined },
  body: unknown,
  retryAfterMs?: number,
): ApiError {
  const error = isObject(body) ? body.error : undefined;
  if (!isObject(error)) {
    const message = typeof error === "string" ? error : "no success";
    return new Kind({ status, requestId, code: `http_${status}`, message, retryAfterMs });
  }
  return new Kind({
    status,
    requestId: typeof error.request_id === "string" ? error.request_id : requestId,
    code: String(error.code),
    message: String(error.message),
    details: Array.isArray(error.details) ? error.details : [],
    retryAfterMs,
  });
}

/** 429 and 503 say that the service has not begun; a gateway's 502 and 504 leave it open. */
function mayRepeat({ status, headers }: Response, repeatable: boolean): boolean {
  if (headers.get("x-should-retry") === "false") return false;
  return status === 429 || status === 503 || (repeatable && (status === 502 || status === 504));
}

/** Retry-After: seconds, or a date. */
function milliseconds(text: string | null): number | undefined {
  if (!text) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function codeOf(cause: unknown): string {
  const inner = isObject(cause) ? cause.cause : undefined;
  return isObject(inner) && typeof inner.code === "string" ? inner.code : "";
}

function wasNotSent(cause: unknown): boolean {
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"].includes(codeOf(cause));
}

function unreachable(url: string, cause: unknown): ServiceUnreachableError {
  const why = codeOf(cause) || (cause instanceof Error ? cause.message : String(cause));
  return new ServiceUnreachableError(`${url} cannot be reached: ${why}`, { cause });
}

// if predicts
function outputs(answer: unknown, count?: number): Output[] {
  const rows = isObject(answer) ? answer.rows : undefined;
  if (!Array.isArray(rows) || (count !== undefined && rows.length !== count)) throw notExpected();
  return rows;
}

function only(outputs: readonly Output[]): Output {
  if (outputs.length !== 1) throw notExpected();
  return outputs[0] as Output;
}

// end
// if generates
function firstChoice(answer: unknown): Record<string, unknown> {
  const choices = isObject(answer) ? answer.choices : undefined;
  if (!Array.isArray(choices) || !isObject(choices[0])) throw notExpected();
  return choices[0];
}

function textOf(holder: unknown, name: string): string {
  const text = isObject(holder) ? holder[name] : undefined;
  return typeof text === "string" ? text : "";
}

// end
function notExpected(): ApiError {
  const message = "the answer is not what this client expects: make it again";
  return new ApiError({ status: 200, code: "not_expected", message, requestId: undefined });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** For JSON: typed arrays are lists, and a number that is not finite is an error instead of null. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new TypeError(`${value} is not JSON: numbers have to be finite`);
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Uint8Array) : value;
}

function address(text: string): string {
  const url = new URL(/^https?:\/\//i.test(text) ? text : `http://${text}`);
  if (url.username || url.password || url.search || url.hash)
    throw new TypeError("the address has to be one as in https://example.com or http://127.0.0.1:8080");
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** A variable of the environment, where there is one. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  try {
    return process?.env?.[name];
  } catch {
    return undefined; // Deno asks for permission
  }
}
