import { lstat, readFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describeService, type ServiceDescription, withMaxRows } from "../client/description.js";
import { type ClientLanguage, clientFile, clientFileName, isClientFile } from "../client/files.js";
import { systemCode, UserError } from "../errors.js";
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

async function describe(project: Project | undefined, options: ClientOptions): Promise<ServiceDescription> {
  const { url, api, env, signal } = options;
  const target = url ?? (await runningUrl(project, options));
  const apiKey = env.MODELSHIP_API_KEY || undefined;
  const ask = (route: string) =>
    fetchDocument(route, { url: target, apiKey, timeout: longestSeconds, signal });
  const service = describeService(await ask("/openapi.json"), api);
  const whole = service.predict ? service : withMaxRows(service, await ask(`/${service.api}/model`));
  // Where it runs now is this machine's affair; an address that was given is the one that the client is for.
  return { ...whole, url: url === undefined ? undefined : bareAddress(url) };
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
