import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../errors.js";
import { findTemplate, readTemplate, readTemplateFiles, type Template } from "../template.js";
import { checkFolder } from "./folder.js";
import { fetchGit } from "./git.js";
import { fetchNpm } from "./npm.js";
import { readSpec, type TemplateSpec } from "./spec.js";

export interface OpenOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/** A template, for as long as it is needed. */
export interface OpenedTemplate {
  template: Template;
  /** Of one from elsewhere: lines that say where it is from and which version of it this is. */
  origin: readonly string[] | undefined;
  /** What it may write, as it lies in the template. */
  paths: readonly string[];
  /** Takes away what was fetched. */
  close: () => Promise<void>;
}

/** Finds one of ours by name, or fetches one from elsewhere. Nothing in it is run. */
export async function openTemplate(text: string, options: OpenOptions): Promise<OpenedTemplate> {
  const spec = readSpec(text);
  if (spec.kind === "own") {
    const template = await findTemplate(spec.name);
    return { template, origin: undefined, paths: await pathsOf(template), close: async () => {} };
  }
  const temporary = spec.kind === "folder" ? undefined : await mkdtemp(join(tmpdir(), "modelship-template-"));
  const close = async () => {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  };
  try {
    const { folder, origin } = await fetchTemplate(spec, temporary ?? "", options);
    await checkFolder(folder, text, options.signal);
    const template = { ...(await readTemplate(folder, text)), foreign: true };
    const paths = await pathsOf(template);
    checkForeign(paths, text);
    return { template, origin, paths, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function fetchTemplate(
  spec: Exclude<TemplateSpec, { kind: "own" }>,
  temporary: string,
  options: OpenOptions,
): Promise<{ folder: string; origin: string[] }> {
  if (spec.kind === "folder") {
    const folder = resolve(options.cwd, spec.path);
    return { folder, origin: [`folder  ${folder}`] };
  }
  const folder = join(temporary, "tree");
  if (spec.kind === "git") {
    const commit = await fetchGit(spec, temporary, options);
    const path = spec.path === "" ? [] : [`folder  ${spec.path}`];
    return { folder, origin: [`from    ${spec.url}`, `commit  ${commit}`, ...path] };
  }
  const { version, integrity } = await fetchNpm(spec, temporary, options);
  return { folder, origin: [`from    npm, ${spec.name}`, `version ${version}`, `digest  ${integrity}`] };
}

async function pathsOf(template: Template): Promise<string[]> {
  return (await readTemplateFiles(template)).map(({ path }) => path);
}

/** What would be run, by us or later by git, has no place in a template from elsewhere. */
function checkForeign(paths: readonly string[], place: string): void {
  const code = paths.find((path) => path.endsWith(".ejs"));
  if (code !== undefined) {
    throw new UserError("template", `${place} holds a file in EJS: ${JSON.stringify(code)}.`, {
      why: "EJS is code, and templates from elsewhere run none.",
      hint: "Write it in Mustache, as name.mustache: see docs/init.md.",
    });
  }
  const git = paths.find((path) => path.split("/").some((part) => /^\.git\.?$/i.test(part.trim())));
  if (git !== undefined) {
    throw new UserError("template", `${place} writes into a folder of git: ${JSON.stringify(git)}.`, {
      why: "Git would run what is there.",
    });
  }
}
