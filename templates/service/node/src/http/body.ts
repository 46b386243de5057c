/** A request's body: its type, its encoding, and how large and deep it may be. */
import { createGunzip, createInflate, type Gunzip } from "node:zlib";
import { ApiError, badJson } from "../errors.js";

export const jsonTypes = /^application\/(?:json|[a-z0-9.+-]+\+json)(?: *; *charset *= *"?utf-?8"?)? *;? *$/i;
export const jsonOrBinaryTypes = new RegExp(
  `${jsonTypes.source}|^application/octet-stream *;? *$`,
  jsonTypes.flags,
);

/** A parser may need hundreds of bytes for each `[]`. */
const maxParts = 1_000_000;

export function checkType(given: string, allowed: RegExp): void {
  if (given === "" || allowed.test(given)) return;
  const binary = allowed === jsonOrBinaryTypes ? " or application/octet-stream" : "";
  const message = `Content-Type must be application/json${binary}, in UTF-8`;
  throw new ApiError(415, "unsupported_media_type", message);
}

const decoders: Readonly<Record<string, (() => Gunzip) | undefined>> = {
  "": undefined,
  identity: undefined,
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
};

/** undefined where the body is as it is. */
export function decoderOf(encoding: string): (() => Gunzip) | undefined {
  const name = encoding.trim().toLowerCase();
  if (Object.hasOwn(decoders, name)) return decoders[name];
  throw new ApiError(415, "unsupported_media_type", "Content-Encoding must be gzip, deflate or identity");
}

export function tooLarge(limit: number, when = ""): ApiError {
  return new ApiError(413, "body_too_large", `the body may have ${limit} bytes at most${when}`);
}

/** Never more than `limit` bytes, whatever the compressed ones promise. */
export function decompress(body: Buffer, decoder: () => Gunzip, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = decoder();
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) return chunks.push(chunk);
      stream.destroy();
      return reject(tooLarge(limit, " when it is decompressed"));
    });
    stream.on("end", () => {
      // What follows the end of the compressed data belongs to nobody.
      if (stream.bytesWritten === body.length) return resolve(Buffer.concat(chunks));
      return reject(new ApiError(400, "invalid_encoding", "the compressed body ends too early, or too late"));
    });
    stream.on("error", () =>
      reject(new ApiError(400, "invalid_encoding", "the body is not what Content-Encoding says")),
    );
    stream.end(body);
  });
}

/** Refuses JSON that is nested deeper than `limit`, or of more parts than memory can bear, without parsing it. */
export function checkDepth(body: Buffer, limit: number): void {
  let depth = 0;
  let parts = 0;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === quote) {
      at = endOfString(body, at);
    } else if (byte === openList || byte === openObject) {
      depth += 1;
      parts += 1;
      if (parts > maxParts)
        throw new ApiError(413, "body_too_large", `the body may have ${maxParts} lists and objects at most`);
      if (depth > limit) throw badJson("it is nested too deeply");
    } else if (byte === closeList || byte === closeObject) {
      depth -= 1;
    }
  }
}

const [quote, backslash, openList, closeList, openObject, closeObject] = Buffer.from('"\\[]{}');

/** Where the string that begins at `at` ends: a jump from quote to quote, for strings may be long. */
function endOfString(body: Buffer, at: number): number {
  for (let end = body.indexOf(quote as number, at + 1); ; end = body.indexOf(quote as number, end + 1)) {
    if (end < 0) return body.length;
    let slashes = 0;
    while (body[end - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What the text of a body says. */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw badJson("the body is empty");
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    throw badJson("it is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw badJson("it is not valid JSON");
  }
}
