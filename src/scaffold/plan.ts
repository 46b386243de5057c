import { UserError } from "../errors.js";
import type { Occasion, TemplateManifest } from "./manifest.js";
import type { TemplateFile } from "./template.js";

/** A file to be written; `path` is relative to the project, with forward slashes. */
export interface WrittenFile {
  path: string;
  bytes: Buffer;
  mode: number;
}

/** A file to be copied, which may be too large for the memory. */
export interface CopiedFile {
  path: string;
  /** Absolute. */
  source: string;
  /** Bytes, as it was found. */
  size: number;
  mode: number;
}

export type PlannedFile = WrittenFile | CopiedFile;

/** Renders the files that end in `extension`, which the project's files then lack. */
export interface Renderer {
  extension: string;
  render: (text: string, file: string) => string;
}

/** npm leaves dot-files of these names out of a package, so templates spell them differently. */
const spelledDifferently: Readonly<Record<string, string>> = {
  _gitignore: ".gitignore",
  _dockerignore: ".dockerignore",
  // npm leaves out of packages what is called .npmrc.
  _npmrc: ".npmrc",
};

/** Template files -> the files of the project, sorted by path. One that renders to nothing is left out. */
export function planProject(files: readonly TemplateFile[], renderer: Renderer): WrittenFile[] {
  const planned = files
    .map((file) => planFile(file, renderer))
    .filter((file): file is WrittenFile => file !== undefined);
  return inOrder(planned);
}

/** Sorted by path, each of which is there once. */
export function inOrder<File extends PlannedFile>(files: readonly File[]): File[] {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const twice = sorted.find((file, index) => file.path === sorted[index + 1]?.path);
  if (twice) throw new UserError("template", `The template writes ${twice.path} twice.`);
  return sorted;
}

/** What of a template is written on an occasion. A rule for what the template has not is an error in it. */
export function filesFor(
  files: readonly TemplateFile[],
  rules: TemplateManifest["files"],
  occasion: Occasion,
): TemplateFile[] {
  const idle = rules.find((rule) => !files.some(({ path }) => matches(rule.path, path)));
  if (idle)
    throw new UserError("template", `The template's files has "${idle.path}", and there is no such file.`);
  return files.filter(({ path }) =>
    rules.every((rule) => rule.when === occasion || !matches(rule.path, path)),
  );
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith("/**") ? path.startsWith(pattern.slice(0, -2)) : path === pattern;
}

function planFile(file: TemplateFile, { extension, render }: Renderer): WrittenFile | undefined {
  const isRendered = file.path.endsWith(extension);
  const path = isRendered ? file.path.slice(0, -extension.length) : file.path;
  const segments = path.split("/");
  const base = segments.pop() ?? "";
  segments.push(spelledDifferently[base] ?? base);
  const target = segments.join("/");
  checkInside(target);
  const bytes = isRendered ? Buffer.from(render(file.bytes.toString("utf8"), file.path)) : file.bytes;
  if (isRendered && bytes.toString("utf8").trim() === "") return undefined;
  return { path: target, bytes, mode: file.executable ? 0o755 : 0o644 };
}

/** Refuses a path that would leave the project's folder, on any platform. */
export function checkInside(path: string): void {
  const bad =
    path === "" ||
    path.startsWith("/") ||
    /[\\\0:]/.test(path) ||
    path.split("/").some((segment) => segment === "" || segment === "." || segment === "..");
  if (bad)
    throw new UserError(
      "template",
      `The template holds a path that may not be written: ${JSON.stringify(path)}.`,
    );
}
