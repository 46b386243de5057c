import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

/** A program that never ends its line does not fill our memory. Characters. */
const longest = 64 * 1024;

/**
 * Makes lines of a step's output, which comes in pieces of any length: characters split between pieces are put
 * together, colours are removed, and of a line that redraws itself with carriage returns the last state is left.
 */
export class LogLines {
  private readonly decoder = new StringDecoder("utf8");
  private readonly onLine: (line: string) => void;
  private open = "";

  constructor(onLine: (line: string) => void) {
    this.onLine = onLine;
  }

  push(piece: Buffer | string): void {
    this.open += typeof piece === "string" ? piece : this.decoder.write(piece);
    const lines = this.open.split("\n");
    this.open = lines.pop() ?? "";
    for (const line of lines) this.emit(line);
    if (this.open.length > longest) {
      // Before the last carriage return there is nothing that would still be seen.
      this.open = this.open.slice(Math.max(0, this.open.lastIndexOf("\r")));
      if (this.open.length > longest) {
        this.emit(this.open);
        this.open = "";
      }
    }
  }

  /** Emits a last line that has no end. */
  flush(): void {
    this.open += this.decoder.end();
    if (this.open !== "") this.emit(this.open);
    this.open = "";
  }

  private emit(raw: string): void {
    const states = raw.replace(/\r+$/, "").split("\r");
    const line = stripVTControlCharacters(states.at(-1) ?? "").trimEnd();
    this.onLine(line);
  }
}
