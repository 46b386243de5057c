import type { CommandResult } from "../commands/command.js";
import type { ReporterEvent } from "../reporter.js";
import type { ErrorDocument } from "./error.js";
import { redact } from "./redact.js";

/** Number in every document's `schema`; raised when a documented shape changes in a way that breaks readers. */
const shapeVersion = 1;

/** `{"schema": "modelship.build/1", ...}`: the result of one command, as docs/json.md describes it. */
export function resultDocument(command: string, result: CommandResult): Record<string, unknown> {
  return { schema: `modelship.${command}/${shapeVersion}`, ...result.json };
}

export function errorDocument(error: ErrorDocument): Record<string, unknown> {
  return { schema: `modelship.error/${shapeVersion}`, error };
}

/** The line of `--json=events` for something a use case reported. */
export function eventLine(event: ReporterEvent): string {
  return JSON.stringify(event, (_key, value: unknown) => (typeof value === "string" ? redact(value) : value));
}

export function itemLine(item: unknown): string {
  return JSON.stringify({ type: "item", item });
}

export function resultLine(command: string, result: CommandResult): string {
  return JSON.stringify({ type: "result", result: resultDocument(command, result) });
}

export function errorLine(error: ErrorDocument): string {
  return JSON.stringify({ type: "error", ...errorDocument(error) });
}

export function document(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
