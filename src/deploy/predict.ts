import { relative } from "node:path";
import type { Readable } from "node:stream";
import { UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import { predict } from "../service/client.js";
import { readInput } from "../service/input.js";
import type { Prediction } from "../service/prediction.js";
import { findExample } from "./example.js";
import { type ProjectChoice, projectHere } from "./project-root.js";
import { runningUrl } from "./running.js";

export interface PredictOptions extends ProjectChoice {
  host?: string | undefined;
  context?: string | undefined;
  signal?: AbortSignal | undefined;
  report: Reporter;
  stdin: Readable;
  /** JSON, `@file` or `-`; without it the project's example. */
  input?: string | undefined;
  /** Any service; without it one that modelship started. */
  url?: string | undefined;
  /** One of several services. */
  name?: string | undefined;
  timeout: number;
}

/** Sends one request to a service and returns its answer. */
export async function predictOnce(options: PredictOptions): Promise<Prediction> {
  const { url, name, input, cwd, stdin, env, timeout, signal } = options;
  const needsProject = input === undefined || (url === undefined && name === undefined);
  const project = needsProject ? await projectHere(options) : undefined;
  const text = input ?? (await exampleOf(project, options));
  const body = await readInput({ text, cwd, stdin });
  const target = url ?? (await runningUrl(project, options));
  const apiKey = env.MODELSHIP_API_KEY || undefined;
  return predict({ url: target, ...body, apiKey, timeout, signal });
}

async function exampleOf(project: Project | undefined, options: PredictOptions): Promise<string> {
  const path = project && (await findExample(project));
  if (path === undefined)
    throw new UserError("usage", "There is no input.", {
      hint: "Give it with -i JSON, -i @file or -i - (stdin).",
    });
  options.report({ type: "note", message: `Sending ${relative(options.cwd, path) || path}.` });
  return `@${path}`;
}
