/** Where the keys come from: a variable, and a file that may change while the service runs. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Log } from "../log.js";
import { parseKeys } from "./key-list.js";
import { type Key, KeyRing, KeysError } from "./keys.js";

const maxFileBytes = 1024 * 1024;
const pollMs = 1000;

/** `ring` has the keys as they are now. Keys that cannot be read at the start are a KeysError. */
export class KeySource {
  ring: KeyRing;
  /** Keys were asked for, even if there is none: nobody gets in then. */
  readonly configured: boolean;
  readonly #file: string | undefined;
  readonly #log: Log;
  readonly #fixed: Key[];
  #seen: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(apiKeys: string, file: string | undefined, log: Log) {
    this.configured = apiKeys !== "" || file !== undefined;
    this.#file = file;
    this.#log = log;
    this.#fixed = apiKeys === "" ? [] : named("MODELSHIP_API_KEYS", () => parseKeys(apiKeys));
    this.#seen = this.#signature();
    this.ring = this.#load();
    if (this.configured) log.write("info", "keys_loaded", { count: this.ring.size });
  }

  /** Read the file again. One that cannot be used changes nothing but the log. */
  reload(): void {
    this.#seen = this.#signature();
    try {
      this.ring = this.#load();
      this.#log.write("info", "keys_loaded", { count: this.ring.size });
    } catch (problem) {
      this.#log.write("error", "keys_invalid", { reason: (problem as Error).message });
    }
  }

  /** Read the file again whenever it has changed. */
  watch(): void {
    if (this.#file === undefined) return;
    this.#timer = setInterval(() => {
      if (this.#signature() !== this.#seen) this.reload();
    }, pollMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Tells one state of the file from another. */
  #signature(): string | undefined {
    if (this.#file === undefined) return undefined;
    const found = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    return found && `${found.mtimeNs} ${found.size} ${found.ino}`;
  }

  #load(): KeyRing {
    const file = this.#file;
    if (file === undefined) return new KeyRing(this.#fixed);
    return named(file, () => new KeyRing([...this.#fixed, ...parseKeys(read(file))]));
  }
}

function named<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (problem) {
    throw new KeysError(`${place}: ${(problem as Error).message}`);
  }
}

/** Where somebody put a pipe, there is no waiting for its writer. */
function read(file: string): string {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (problem) {
    throw new KeysError(`it cannot be read (${(problem as NodeJS.ErrnoException).code})`);
  }
  try {
    if (!fstatSync(fd).isFile()) throw new KeysError("it is not a regular file");
    const content = Buffer.alloc(maxFileBytes + 1);
    let length = 0;
    for (let more = -1; more !== 0 && length < content.length; length += more)
      more = readSync(fd, content, length, content.length - length, null);
    if (length > maxFileBytes) throw new KeysError(`it is larger than ${maxFileBytes} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(content.subarray(0, length));
  } catch (problem) {
    throw problem instanceof TypeError ? new KeysError("it is not UTF-8 text") : problem;
  } finally {
    closeSync(fd);
  }
}
