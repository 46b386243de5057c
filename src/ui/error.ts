import { inspect } from "node:util";
import { ExitCode, isUserError, messageOf } from "../errors.js";
import { redact } from "./redact.js";
import { plainLine, type Style } from "./style.js";

/** What `--json` prints under `error`. */
export interface ErrorDocument {
  code: string;
  message: string;
  why?: string;
  hint?: string;
  excerpt?: readonly string[];
}

export interface DescribedError {
  document: ErrorDocument;
  exitCode: number;
}

/** Any thrown value in the terms of docs/json.md; what is no UserError is a defect of modelship. */
export function describeError(error: unknown): DescribedError {
  if (isUserError(error)) {
    return {
      exitCode: error.exitCode,
      document: {
        code: error.code,
        message: redact(error.message),
        ...(error.why !== undefined && { why: redact(error.why) }),
        ...(error.hint !== undefined && { hint: redact(error.hint) }),
        ...(error.excerpt.length > 0 && { excerpt: error.excerpt.map(redact) }),
      },
    };
  }
  return {
    exitCode: ExitCode.failed,
    document: {
      code: "defect",
      message: `This is a defect in modelship: ${redact(messageOf(error))}`,
      hint: "Please report it with the output of the same command with --debug, and of modelship doctor.",
    },
  };
}

/** What happened, why, the lines that show it, what to do: in that order, each on a line of its own. */
export function renderError(error: unknown, style: Style, debug: boolean): string {
  const { document } = describeError(error);
  const lines: string[] = [];
  if (document.code === "interrupted") lines.push(document.message);
  else lines.push(`${style.red(style.bold("error:"))} ${style.bold(indent(document.message))}`);
  if (document.why) lines.push(`  ${indent(document.why)}`);
  for (const line of document.excerpt ?? []) lines.push(`  ${style.dim("|")} ${plainLine(line)}`);
  if (document.hint) lines.push(`${style.cyan("hint:")} ${indent(document.hint)}`);
  if (debug) lines.push(style.dim(redact(trace(error))));
  return `${lines.join("\n")}\n`;
}

/** The stack with every cause. */
function trace(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const lines = [error.stack ?? String(error)];
  let cause = error.cause;
  const seen = new Set<unknown>([error]);
  while (cause !== undefined && cause !== null && !seen.has(cause)) {
    seen.add(cause);
    lines.push(`Caused by: ${cause instanceof Error ? (cause.stack ?? String(cause)) : inspect(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines.join("\n");
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => plainLine(line))
    .join("\n  ");
}
