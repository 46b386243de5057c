import type { Readable } from "node:stream";

/** The engine's answer was not what its protocol promises: cut off, or not JSON. */
export class StreamProtocolError extends Error {
  override readonly name = "StreamProtocolError";
}

const defaultLimit = 16 * 1024 * 1024;
const newline = 0x0a;

/**
 * The rows of a newline-separated JSON answer. Lines are decoded as a whole, so that a character split between
 * two chunks survives; a last row without a newline counts.
 *
 * Throws StreamProtocolError on a line that is no JSON (a proxy's error page) or longer than `maxLineBytes`, and
 * whatever the stream throws when it is closed before its end: a cut stream never looks like a finished one.
 * Leaving the loop early destroys the stream.
 */
export async function* jsonLines<Row = Record<string, unknown>>(
  stream: Readable,
  maxLineBytes = defaultLimit,
): AsyncGenerator<Row, void, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      pending.push(rest.subarray(0, end));
      const row = parse<Row>(Buffer.concat(pending));
      pending = [];
      pendingBytes = 0;
      rest = rest.subarray(end + 1);
      if (row !== undefined) yield row;
    }
    if (rest.length > 0) pending.push(rest);
    pendingBytes += rest.length;
    if (pendingBytes > maxLineBytes)
      throw new StreamProtocolError(`The engine sent a line of more than ${maxLineBytes} bytes.`);
  }

  const row = parse<Row>(Buffer.concat(pending));
  if (row !== undefined) yield row;
}

function parse<Row>(line: Buffer): Row | undefined {
  const text = line.toString("utf8").trim();
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as Row;
  } catch (cause) {
    const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
    throw new StreamProtocolError(`The engine answered with something that is not JSON: ${shown}`, { cause });
  }
}
