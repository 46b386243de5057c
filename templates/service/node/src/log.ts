/** The log: one JSON object a line on stdout, and nothing else on stdout. */
import { writeSync } from "node:fs";

export const levels = ["debug", "info", "warning", "error"];

const flushMs = 20;
const flushLines = 256;

export class Log {
  readonly #lowest: number;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(level = "info") {
    this.#lowest = levels.indexOf(level);
  }

  enabled(level: string): boolean {
    return levels.indexOf(level) >= this.#lowest;
  }

  write(level: string, event: string, fields: object = {}): void {
    if (!this.enabled(level)) return;
    this.#add({ ts: new Date().toISOString(), level, event, ...fields });
    this.flush();
  }

  /** A line of a request. It is kept for a moment, so that many of them cost one write. */
  request(level: string, fields: object): void {
    if (!this.enabled(level)) return;
    this.#add({ ts: new Date().toISOString(), level, event: "request", ...fields });
    if (this.#lines.length >= flushLines) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    put(Buffer.from(this.#lines.join("")));
    this.#lines = [];
  }

  #add(line: object): void {
    this.#lines.push(`${JSON.stringify(line)}\n`);
  }
}

/** Written at once: a process that ends leaves nothing behind. A reader that went away must not take the service with it. */
function put(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
