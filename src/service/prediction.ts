import { isUtf8 } from "node:buffer";
import { indentJson } from "./json-text.js";

/** An answer of a service. */
export class Prediction {
  /** Exactly as the service sent it. */
  readonly body: Buffer;
  readonly contentType: string;

  constructor(body: Buffer, contentType: string) {
    this.body = body;
    this.contentType = contentType;
  }

  /** For stdout: as it came, or indented for people. `undefined` when it is no text. */
  text(forPeople: boolean): string | undefined {
    const isText = this.#isJson || /^text\/|[/+]xml|event-stream/.test(this.contentType);
    if (!isText || !isUtf8(this.body)) return undefined;
    const text = this.body.toString("utf8");
    return forPeople && this.#value() !== undefined ? indentJson(text) : text;
  }

  /** For `--json`: the answer itself where it is a JSON object, or else wrapped. */
  document(): Record<string, unknown> {
    const value = this.#value();
    if (value !== null && typeof value === "object" && !Array.isArray(value))
      return value as Record<string, unknown>;
    if (value !== undefined) return { output: value };
    const text = this.text(false);
    if (text !== undefined) return { contentType: this.contentType, text };
    return { contentType: this.contentType, base64: this.body.toString("base64") };
  }

  get #isJson(): boolean {
    return /[/+]json\b/.test(this.contentType);
  }

  #value(): unknown {
    if (!this.#isJson) return undefined;
    try {
      return JSON.parse(this.body.toString("utf8"));
    } catch {
      return undefined;
    }
  }
}
