import { lstat, readFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describeService, type ServiceDescription, withMaxRows } from "../client/description.js";
import { type ClientLanguage, clientFile, clientFileName, isClientFile } from "../client/files.js";
import { describeGraph } from "../client/tensors.js";
import { detectModel } from "../detect/detect.js";
import { type ErrorCode, isUserError, systemCode, UserError } from "../errors.js";
import type { Project } from "../project/load.js";
import type { Reporter } from "../reporter.js";
import { writePlan } from "../scaffold/write.js";
import { fetchDocument } from "../service/document.js";
import { projectHere } from "./project-root.js";
import { type RunningChoice, runningUrl } from "./running.js";

export interface ClientOptions extends RunningChoice {
  language: ClientLanguage;
  report: Reporter;
  /** Any service; without it the project's that runs. */
  url?: string | undefined;
  /** One of the service's API versions; without it the newest. */
  api?: string | undefined;
  /** Where the client goes: a file, or `-` for nowhere but the result. */
  output?: string | undefined;
  /** Replaces a file that is no client. */
  force: boolean;
}

export interface MadeClient {
  text: string;
  /** Absolute; absent where it went into no file. */
  path: string | undefined;
  /** As `path` is seen from where the user is. */
  shown: string | undefined;
  service: ServiceDescription;
  /** The file was there and is the same. */
  unchanged: boolean;
}

const longestSeconds = 30;

/** Makes a client from what a running service says of itself. */
export async function makeClient(options: ClientOptions): Promise<MadeClient> {
  const { language, url, output, cwd } = options;
  const project = url === undefined || output === undefined ? await projectHere(options) : undefined;
  const service = await describe(project, options);
  const { text } = clientFile(language, service);
  if (output === "-") return { text, path: undefined, shown: undefined, service, unchanged: false };
  const path = resolve(cwd, output ?? join(project?.root ?? cwd, clientFileName[language]));
  const unchanged = await write(path, text, options);
  return { text, path, shown: relative(cwd, path), service, unchanged };
}

/** From the service that runs. Where none does, a graph that is served without code says the same. */
async function describe(project: Project | undefined, options: ClientOptions): Promise<ServiceDescription> {
  const { url, name, report } = options;
  // Where it runs now is this machine's affair; an address that was given is the one that the client is for.
  if (url !== undefined) return { ...(await ask(url, options)), url: bareAddress(url) };
  try {
    return await ask(await runningUrl(project, options), options);
  } catch (error) {
    if (!isUserError(error) || name !== undefined || !isDown.has(error.code)) throw error;
    const service = project && (await graphOf(project, options.signal));
    if (!service) throw needsService(error);
    report({
      type: "note",
      message: "No service of this project answers: its ONNX graph says what it takes.",
    });
    return service;
  }
}

const isDown: ReadonlySet<ErrorCode> = new Set([
  "service_unreachable",
  "engine_unreachable",
  "engine_permission",
  "engine_unsupported",
]);

function needsService(cause: UserError): UserError {
  return new UserError("service_unreachable", "There is no running service to make the client from.", {
    why: `${cause.message} What a model takes and gives is known when it runs.`,
    hint: "Start it with `modelship run --detach`, or with `modelship dev` and --url http://127.0.0.1:8080 here.",
    cause,
  });
}

async function ask(url: string, { api, env, signal }: ClientOptions): Promise<ServiceDescription> {
  const apiKey = env.MODELSHIP_API_KEY || undefined;
  const document = (route: string) => fetchDocument(route, { url, apiKey, timeout: longestSeconds, signal });
  const service = describeService(await document("/openapi.json"), api);
  return service.predict ? service : withMaxRows(service, await document(`/${service.api}/model`));
}

/** Of a project without code; nothing for any other, as its classes would have to be run. */
async function graphOf(
  project: Project,
  signal: AbortSignal | undefined,
): Promise<ServiceDescription | undefined> {
  const { name, version, model } = project.config;
  if (model.entry !== "onnx") return undefined;
  const { found } = await detectModel(join(project.root, model.files), { signal });
  const [graph, ...others] = found.filter(({ kind }) => kind === "onnx");
  if (!graph || others.length > 0 || graph.inputs.length === 0) return undefined;
  return describeGraph({ name, version, inputs: graph.inputs, outputs: graph.outputs });
}

/** An address without what must not go into a file: a user name, a password, a query. */
function bareAddress(text: string): string {
  const url = new URL(/^https?:\/\//i.test(text) ? text : `http://${text}`);
  return url.origin + url.pathname.replace(/\/+$/, "").replace(/\/openapi\.json$/, "");
}

/** Whether the file was so before. */
async function write(path: string, text: string, { force, signal, cwd }: ClientOptions): Promise<boolean> {
  const there = await textOf(path);
  if (there === text) return true;
  if (there !== undefined && !force && !isClientFile(there))
    throw new UserError(
      "files_exist",
      `${relative(cwd, path) || path} is there, and is no client of modelship.`,
      {
        hint: "Choose another file with --output, or replace it with --force.",
      },
    );
  const file = { path: basename(path), bytes: Buffer.from(text), mode: 0o644 };
  await writePlan([file], dirname(path), { force: true, signal });
  return false;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    // A pipe would keep the reader waiting: what is no file is left to the writer to judge.
    if (!(await lstat(path)).isFile()) return "";
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw new UserError("file_failed", `${path} cannot be read.`, { cause: error });
  }
}
