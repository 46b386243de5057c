import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { messageOf, systemCode, UserError } from "../errors.js";
import { packagePath } from "../package.js";
import { checkManifest, manifestName, type TemplateManifest } from "./manifest.js";

/** A folder under templates/projects: template.yaml describes it, every other file goes into the project. */
export interface Template extends TemplateManifest {
  name: string;
  folder: string;
  /** From elsewhere: rendered without running code. */
  foreign?: boolean;
}

/** A file as it lies in the template; `path` is relative to its folder, with forward slashes. */
export interface TemplateFile {
  path: string;
  bytes: Buffer;
  executable: boolean;
}

const mostManifestBytes = 256 * 1024;

export function templatesFolder(): string {
  return packagePath("templates/projects");
}

/** Every template, by name. */
export async function listTemplates(root = templatesFolder()): Promise<Template[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory() && !isLeftOut(entry.name))
    .map((entry) => entry.name);
  return Promise.all(names.sort().map((name) => readTemplate(join(root, name), name)));
}

/** The template of that name; an unknown one is an error that lists what there is. */
export async function findTemplate(name: string, root = templatesFolder()): Promise<Template> {
  const templates = await listTemplates(root);
  const template = templates.find((candidate) => candidate.name === name);
  if (template) return template;
  throw new UserError("template", `There is no template "${name}".`, {
    hint: `Choose one of: ${templates.map((candidate) => candidate.name).join(", ")}.`,
  });
}

/** Reads what a folder's template.yaml says; `name` is for errors too. */
export async function readTemplate(folder: string, name: string): Promise<Template> {
  const path = join(folder, manifestName);
  let content: unknown;
  try {
    if ((await lstat(path)).size > mostManifestBytes) throw new Error("It is too large.");
    content = parse(await readFile(path, "utf8"), { maxAliasCount: 0 });
  } catch (error) {
    const missing = systemCode(error) === "ENOENT";
    throw new UserError(
      "template",
      `The template "${name}" ${missing ? "has no" : "has a broken"} ${manifestName}.`,
      {
        why: missing ? undefined : messageOf(error).split("\n")[0],
        cause: error,
      },
    );
  }
  return { name, folder, ...checkManifest(content, name) };
}

/** Reads what the template holds, sorted by path. Links are left out: they could lead anywhere. */
export async function readTemplateFiles(template: Template): Promise<TemplateFile[]> {
  const files: TemplateFile[] = [];
  const walk = async (relative: string): Promise<void> => {
    const entries = await readdir(join(template.folder, relative), { withFileTypes: true });
    for (const entry of entries) {
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (isLeftOut(entry.name) || path === manifestName || path === ".git") continue;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) files.push(await readTemplateFile(template, path));
    }
  };
  await walk("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readTemplateFile(template: Template, path: string): Promise<TemplateFile> {
  const source = join(template.folder, path);
  const { mode } = await lstat(source);
  return { path, bytes: await readFile(source), executable: (mode & 0o100) !== 0 };
}

/** What Python and its tools leave behind when a template is tried in place. */
function isLeftOut(name: string): boolean {
  return name === "__pycache__" || name === ".pytest_cache" || name.endsWith(".pyc");
}
