/** What a handler gives back. */
import type { Header } from "../errors.js";

export interface Answer {
  status: number;
  body: string | Buffer;
  headers?: readonly Header[];
  /** application/json unless told otherwise. */
  type?: string;
}

/** Chunks as they come. The generator is closed when the last is sent, and when the client has gone. */
export interface StreamAnswer {
  chunks: AsyncGenerator<string>;
}

export function json(value: unknown, status = 200, headers: readonly Header[] = []): Answer {
  return { status, body: JSON.stringify(value), headers };
}

export function ok(body: string | Buffer): Answer {
  return { status: 200, body };
}

export function isStream(answer: Answer | StreamAnswer): answer is StreamAnswer {
  return "chunks" in answer;
}
