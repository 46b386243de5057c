import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { messageOf } from "../../errors.js";

/** The status codes of gRPC that we answer with. */
export const GrpcStatus = { ok: 0, unknown: 2, notFound: 5, unimplemented: 12, internal: 13 } as const;

/** What a handler throws to answer with a status of its own; anything else becomes `unknown`. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Messages that BuildKit sends us are requests and stats: small. */
const messageLimit = 4 * 1024 * 1024;

/** One call of the engine to us. */
export class Call {
  readonly stream: ServerHttp2Stream;
  private readonly headers: readonly string[];

  constructor(stream: ServerHttp2Stream, rawHeaders: readonly string[]) {
    this.stream = stream;
    this.headers = rawHeaders;
  }

  /** Every value of one metadata key, in order; they are not joined, because a path may hold a comma. */
  metadata(name: string): string[] {
    const values: string[] = [];
    for (let index = 0; index + 1 < this.headers.length; index += 2)
      if (this.headers[index] === name) values.push(this.headers[index + 1] ?? "");
    return values;
  }

  /** The caller's messages until it ends its side. Throws when the call is reset. */
  async *messages(): AsyncGenerator<Buffer, void, void> {
    let buffer: Buffer = Buffer.alloc(0);
    for await (const chunk of this.stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
      while (buffer.length >= 5) {
        const length = buffer.readUInt32BE(1);
        if (buffer[0] !== 0) throw new GrpcError(GrpcStatus.unimplemented, "compressed messages");
        if (length > messageLimit) throw new GrpcError(GrpcStatus.internal, "a message is too large");
        if (buffer.length < 5 + length) break;
        yield buffer.subarray(5, 5 + length);
        buffer = buffer.subarray(5 + length);
      }
    }
    if (buffer.length > 0) throw new GrpcError(GrpcStatus.internal, "a message is cut short");
  }

  /** Of a unary call. */
  async request(): Promise<Buffer> {
    for await (const message of this.messages()) return Buffer.from(message);
    throw new GrpcError(GrpcStatus.internal, "the request has no message");
  }

  /** Sends one message; settles when there is room for the next. Rejects when the call is gone. */
  async send(message: Buffer): Promise<void> {
    if (this.stream.destroyed || this.stream.writableEnded) throw new Error("the call was cancelled");
    const frame = Buffer.allocUnsafe(5 + message.length);
    frame[0] = 0;
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    if (!this.stream.write(frame)) await drained(this.stream);
  }
}

function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      if (stream.destroyed) reject(new Error("the call was cancelled"));
      else resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}

export type Handler = (call: Call) => Promise<void>;

/**
 * Serves gRPC on one connected socket. `handlers` are keyed by full method (`/grpc.health.v1.Health/Check`); other
 * methods are answered with UNIMPLEMENTED, which callers take as "an older client". `onError` hears of handlers that
 * threw something other than a GrpcError, unless the caller had cancelled.
 */
export function serveGrpc(
  socket: Duplex,
  handlers: Readonly<Record<string, Handler>>,
  onError: (error: unknown) => void,
): ServerHttp2Session {
  const session = performServerHandshake(socket);
  // A lost connection shows on the build's own answer; here it only ends the calls.
  session.on("error", () => {});
  socket.on("error", () => {});
  session.on(
    "stream",
    (stream: ServerHttp2Stream, _headers: object, _flags: number, rawHeaders: string[]) => {
      stream.on("error", () => {});
      const call = new Call(stream, rawHeaders);
      const handler = handlers[call.metadata(":path")[0] ?? ""];
      if (handler === undefined) {
        finish(stream, GrpcStatus.unimplemented, "not implemented");
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      handler(call).then(
        () => finish(stream, GrpcStatus.ok, ""),
        (error: unknown) => {
          const cancelled = stream.destroyed;
          const known = error instanceof GrpcError;
          finish(stream, known ? error.status : GrpcStatus.unknown, messageOf(error));
          if (!cancelled && !known) onError(error);
        },
      );
    },
  );
  return session;
}

function finish(stream: ServerHttp2Stream, status: number, message: string): void {
  if (stream.destroyed) return;
  const trailers = { "grpc-status": String(status), ...(message && { "grpc-message": percent(message) }) };
  if (!stream.headersSent) {
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
    return;
  }
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end();
  stream.resume();
}

/** As the gRPC protocol encodes status messages. */
function percent(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
