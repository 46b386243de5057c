import type { OutputLine } from "../exec.js";

export interface ShownLine {
  /** Something that went wrong. */
  warning: boolean;
  text: string;
  /** Lines that belong to it, such as a traceback. */
  more: readonly string[];
}

/** What `dev` says itself. */
const toldAlready = ["listening", "ready", "draining", "stopped"];
const probes = ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"];

/** A line of the service's output for a person; `undefined` where it says nothing new. */
export function shownLine({ stream, line }: OutputLine): ShownLine | undefined {
  const entry = stream === "stdout" ? parse(line) : undefined;
  if (!entry) return { warning: false, text: line, more: [] };
  const { event, level, ts, traceback, ...fields } = entry;
  if (typeof event !== "string" || toldAlready.includes(event)) return undefined;
  if (event === "request" && probes.includes(String(fields.route))) return undefined;
  return {
    warning: level === "warning" || level === "error",
    text: [clock(ts), ...(event === "request" ? request(fields) : other(event, fields))].join(" "),
    more: typeof traceback === "string" ? traceback.trimEnd().split("\n") : [],
  };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "event" in value
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `POST /v1/predict 422 invalid_input 1.2 ms, 3 rows`. */
function request({ method, route, status, code, ms, rows }: Record<string, unknown>): string[] {
  const size = typeof rows === "number" && rows !== 1 ? `, ${rows} rows` : "";
  const took = typeof ms === "number" ? [`${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms${size}`] : [];
  return [method, route ?? "(no such path)", status, code, ...took]
    .filter((part) => part != null)
    .map(String);
}

/** What happened, then what is known of it; a model's failure is its reason alone. */
function other(event: string, fields: Record<string, unknown>): string[] {
  const { reason, message, request_id: _, ...rest } = fields;
  const why = reason ?? message;
  const known = Object.entries(rest).map(([name, value]) => `${name}=${show(value)}`);
  const told = event === "model_error" || event === "model_failed" ? [] : [event.replaceAll("_", " ")];
  if (typeof why !== "string") return [...told, ...known];
  if (told.length === 0) return [why];
  return [`${told[0]}: ${why}`, ...known];
}

function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The time of day on this machine. */
function clock(ts: unknown): string {
  const date = new Date(typeof ts === "string" ? ts : Number.NaN);
  return Number.isNaN(date.getTime()) ? "--:--:--" : date.toTimeString().slice(0, 8);
}
