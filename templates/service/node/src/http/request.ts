/** A request as a handler sees it. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "../errors.js";
import type { Key } from "../guard/keys.js";
import type { Settings } from "../settings.js";
import { checkDepth, checkType, decoderOf, decompress, jsonTypes, tooLarge } from "./body.js";

/** Ids that are made here: one part for the process, and one that counts. */
const processPart = randomBytes(8).toString("hex");
let count = 0;
const shownBytes = 4096;
const discardMs = 2000;

/** The client closed the connection before it had its answer. */
export class ClientGone extends Error {}

export class Request {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** As it was sent. */
  readonly rawPath: string;
  readonly headers: IncomingMessage["headers"];
  /** Aborts when nobody waits for the answer any more, or when the time for draining is up. */
  readonly signal: AbortSignal;
  params: Readonly<Record<string, string>> = {};
  key: Key | undefined;
  /** What a handler notes down for the log. */
  rows: number | undefined;
  queuedMs: number | undefined;
  shownBody: string | undefined;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #settings: Settings;
  #unread: boolean;

  constructor(message: IncomingMessage, response: ServerResponse, settings: Settings, signal: AbortSignal) {
    this.#message = message;
    this.#response = response;
    this.#settings = settings;
    this.signal = signal;
    this.method = message.method ?? "";
    this.headers = message.headers;
    this.rawPath = (message.url ?? "").split("?", 1)[0] ?? "";
    this.path = decoded(this.rawPath);
    const given = message.headers["x-request-id"];
    const kept = typeof given === "string" && /^[A-Za-z0-9._:-]{1,128}$/.test(given);
    count += 1;
    this.id = kept ? given : `${processPart}${count.toString(16).padStart(8, "0")}`;
    const length = message.headers["content-length"] ?? "0";
    this.#unread = message.headers["transfer-encoding"] !== undefined || length !== "0";
  }

  /** Whether a body may still be on its way. */
  get unread(): boolean {
    return this.#unread;
  }

  get traceId(): string | undefined {
    const given = this.headers.traceparent;
    const shape = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
    return typeof given === "string" ? shape.exec(given)?.[1] : undefined;
  }

  /** Whether Accept names this very type. */
  accepts(type: string): boolean {
    return (this.headers.accept ?? "").toLowerCase().includes(type);
  }

  /** The body, where it has to be JSON: whole, decompressed and no deeper than allowed. */
  async json(): Promise<Buffer> {
    const body = await this.body(jsonTypes);
    checkDepth(body, this.#settings.maxJsonDepth);
    return body;
  }

  async body(types: RegExp): Promise<Buffer> {
    const { maxBodyBytes, maxDecodedBytes, logBodies } = this.#settings;
    checkType((this.headers["content-type"] ?? "").trim(), types);
    if (Number(this.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
    const decoder = decoderOf(this.headers["content-encoding"] ?? "");
    if (this.headers.expect !== undefined && this.#unread) this.#response.writeContinue();
    const sent = await this.#read(maxBodyBytes);
    this.#unread = false;
    const body = decoder ? await decompress(sent, decoder, maxDecodedBytes) : sent;
    if (logBodies) this.shownBody = body.subarray(0, shownBytes).toString();
    return body;
  }

  #read(limit: number): Promise<Buffer> {
    const message = this.#message;
    const { timeoutS } = this.#settings;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.signal.removeEventListener("abort", gone);
        message.removeAllListeners("data").removeAllListeners("end");
        settle();
      };
      const gone = () => end(() => reject(this.signal.reason));
      const late = () =>
        reject(new ApiError(408, "request_timeout", `the body did not arrive within ${timeoutS} s`));
      const timer = setTimeout(() => end(late), timeoutS * 1000);
      message.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= limit) return;
        message.pause();
        end(() => reject(tooLarge(limit)));
      });
      message.on("end", () =>
        end(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))),
      );
      this.signal.addEventListener("abort", gone);
      if (this.signal.aborted) gone();
    });
  }

  /** Reads on for a while: closing on unread bytes is a reset, which can take the answer with it. */
  discardBody(): Promise<void> {
    const message = this.#message;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, discardMs);
      const over = () => {
        clearTimeout(timer);
        resolve();
      };
      message.once("end", over).once("close", over);
      message.resume();
      if (message.complete || message.destroyed) over();
    });
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
