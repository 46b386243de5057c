import { relative } from "node:path";
import type { Readable } from "node:stream";
import { connectEngine } from "../docker/connect.js";
import { UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import { predict } from "../service/client.js";
import { readInput } from "../service/input.js";
import type { Prediction } from "../service/prediction.js";
import { findExample } from "./example.js";
import { identity, type ProjectChoice, projectHere } from "./project-root.js";
import { listServices, namedServices, onlyService } from "./services.js";

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
  const target = url ?? (await findUrl(project, options));
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

async function findUrl(project: Project | undefined, options: PredictOptions): Promise<string> {
  const engine = await connectEngine(options);
  const services = await listServices(engine);
  const service =
    options.name === undefined
      ? onlyService(services, identity(project), "Name one with --name, or give its address with --url.")
      : namedServices(services, [options.name])[0];
  if (service?.url) return service.url;
  throw new UserError("service_unreachable", noService(project), {
    why: project && services.length > 0 ? "What runs was not started from this project." : undefined,
    hint: "Start it with `modelship run --detach`, or name another with --url.",
  });
}

function noService(project: Project | undefined): string {
  return project ? `No service of ${project.config.name} is running.` : "No service is running.";
}
