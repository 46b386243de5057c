/** What went wrong in the user's code, in the user's terms. */
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { OutputError } from "../schema/schema.js";
import type { Failure, Stage } from "./orders.js";

/** The model cannot be served. `message` is one line, `shown` is for a person. */
export class ModelFailed extends Error {
  readonly stage: Stage;
  readonly shown: string;

  constructor(stage: Stage, message: string, shown = message) {
    super(message);
    this.stage = stage;
    this.shown = shown;
  }

  static from(stage: Stage, error: unknown, project: string): ModelFailed {
    if (error instanceof ModelFailed) return error;
    const where = userLine(error, project);
    return new ModelFailed(
      stage,
      `${where === undefined ? "" : `${where}: `}${summary(error)}`,
      userTrace(error),
    );
  }
}

export function failureOf(error: unknown): Failure {
  if (error instanceof OutputError) return { kind: "failed", reason: error.message };
  return { kind: "failed", reason: summary(error), traceback: userTrace(error) };
}

function summary(error: unknown): string {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : `something was thrown: ${String(error)}`;
  return text.split("\n", 1)[0] as string;
}

const service = pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), "..")).href;

/** The stack without the service's own frames and Node's. */
function userTrace(error: unknown): string {
  if (!(error instanceof Error)) return summary(error);
  const lines = (error.stack ?? summary(error)).split("\n");
  return lines.filter((line) => !/^\s+at .*\(?node:/.test(line) && !line.includes(service)).join("\n");
}

/** Where in the project it happened: `model.ts:12`. */
function userLine(error: unknown, project: string): string | undefined {
  const home = `${pathToFileURL(project).href}/`;
  const frame = userTrace(error)
    .split("\n")
    .find((line) => line.includes(home) && !line.includes("/node_modules/"));
  const found =
    frame && /([^/][^:]*):(\d+)(?::\d+)?\)?$/.exec(frame.slice(frame.indexOf(home) + home.length));
  return found ? `${found[1]}:${found[2]}` : undefined;
}
