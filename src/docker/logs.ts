import { StringDecoder } from "node:string_decoder";
import { UserError } from "../errors.js";
import type { Engine } from "./client.js";
import { inspectContainer } from "./containers.js";
import { engineError } from "./errors.js";
import { streamRequest } from "./request.js";

export type LogStream = "stdout" | "stderr";

export interface LogLine {
  stream: LogStream;
  line: string;
}

export interface LogOptions {
  /** Go on until the container ends or `signal` fires. */
  follow?: boolean | undefined;
  /** The last lines only; all of them without it. */
  tail?: number | undefined;
  /** Only lines at or after this time. */
  since?: Date | undefined;
  signal?: AbortSignal | undefined;
}

/** The output of a container, line by line. Ends quietly when `signal` fires. */
export async function* containerLogs(
  engine: Engine,
  id: string,
  options: LogOptions = {},
): AsyncGenerator<LogLine> {
  try {
    const container = await inspectContainer(engine, id);
    const stream = await streamRequest(engine.docker, {
      method: "GET",
      path: `/containers/${id}/logs`,
      query: {
        stdout: "1",
        stderr: "1",
        follow: options.follow ? "1" : "0",
        tail: options.tail === undefined ? "all" : String(options.tail),
        since: options.since ? (options.since.getTime() / 1000).toFixed(3) : undefined,
      },
      signal: options.signal,
    });
    const abort = () => stream.destroy();
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      const demultiplexer = container?.tty ? new RawOutput() : new Demultiplexer();
      for await (const chunk of stream) yield* demultiplexer.push(chunk as Buffer);
      yield* demultiplexer.end();
    } finally {
      options.signal?.removeEventListener("abort", abort);
      stream.destroy();
    }
  } catch (error) {
    if (options.signal?.aborted) return;
    throw engineError(error, "reading the logs");
  }
}

const headerSize = 8;
const streams = { 0: "stdout", 1: "stdout", 2: "stderr" } as const;

/**
 * Takes apart what the engine sends for a container without a terminal: frames of one byte for the stream, three
 * unused, four of length, then that many bytes. Frames and lines may be cut anywhere between chunks.
 */
export class Demultiplexer {
  #pending: Buffer = Buffer.alloc(0);
  /** The frame that is being read: which stream, and how many of its bytes are still to come. */
  #kind = 0;
  #remaining = 0;
  #daemonError: Buffer[] = [];
  readonly #lines = { stdout: new LineSplitter(), stderr: new LineSplitter() };

  *push(chunk: Buffer): Generator<LogLine> {
    let data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#remaining === 0) {
        if (data.length < headerSize) break;
        this.#kind = data.readUInt8(0);
        this.#remaining = data.readUInt32BE(4);
        data = data.subarray(headerSize);
        if (this.#kind > 3) throw new Error(`A frame of the unknown kind ${this.#kind} came with the logs.`);
        continue;
      }
      if (data.length === 0) break;
      const part = data.subarray(0, this.#remaining);
      data = data.subarray(part.length);
      this.#remaining -= part.length;
      yield* this.#take(part);
    }
    this.#pending = data;
  }

  /** Lines that had no end yet. */
  *end(): Generator<LogLine> {
    for (const stream of ["stdout", "stderr"] as const)
      for (const line of this.#lines[stream].end()) yield { stream, line };
  }

  *#take(part: Buffer): Generator<LogLine> {
    if (this.#kind === 3) {
      this.#daemonError.push(part);
      if (this.#remaining > 0) return;
      throw new UserError("container_failed", "The engine cannot read this container's logs.", {
        why: Buffer.concat(this.#daemonError).toString("utf8").trim(),
      });
    }
    const stream = streams[this.#kind as keyof typeof streams];
    for (const line of this.#lines[stream].push(part)) yield { stream, line };
  }
}

/** A terminal's output: no frames, one stream. */
class RawOutput {
  readonly #lines = new LineSplitter();

  *push(chunk: Buffer): Generator<LogLine> {
    for (const line of this.#lines.push(chunk)) yield { stream: "stdout", line };
  }

  *end(): Generator<LogLine> {
    for (const line of this.#lines.end()) yield { stream: "stdout", line };
  }
}

/** A line without an end is given out in pieces of this size. */
const longestLine = 1024 * 1024;

class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #parts: string[] = [];
  #length = 0;

  *push(bytes: Buffer): Generator<string> {
    const text = this.#decoder.write(bytes);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      yield this.#flush(text.slice(start, end)).replace(/\r$/, "");
      start = end + 1;
    }
    if (start < text.length) {
      this.#parts.push(text.slice(start));
      this.#length += text.length - start;
      if (this.#length > longestLine) yield this.#flush("");
    }
  }

  *end(): Generator<string> {
    const rest = this.#flush(this.#decoder.end());
    if (rest) yield rest;
  }

  #flush(last: string): string {
    const line = this.#parts.length === 0 ? last : this.#parts.join("") + last;
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}
