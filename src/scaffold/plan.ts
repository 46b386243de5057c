import { UserError } from "../errors.js";
import { renderText } from "./render.js";
import type { TemplateFile } from "./template.js";

/** What a template's `*.ejs` files may use. */
export interface Answers {
  name: string;
  /** `3.12` */
  python: string;
  /** Of modelship. */
  version: string;
  /** Where editors find the JSON Schema of modelship.yaml. */
  schema: string;
}

/** A file to be written; `path` is relative to the project, with forward slashes. */
export interface PlannedFile {
  path: string;
  bytes: Buffer;
  mode: number;
}

/** npm leaves dot-files of these names out of a package, so templates spell them differently. */
const spelledDifferently: Readonly<Record<string, string>> = {
  _gitignore: ".gitignore",
  _dockerignore: ".dockerignore",
};
const rendered = ".ejs";

/** Template files and answers -> the files of the project, sorted by path. */
export function planProject(files: readonly TemplateFile[], answers: Answers): PlannedFile[] {
  const planned = files.map((file) => planFile(file, answers));
  planned.sort((a, b) => (a.path < b.path ? -1 : 1));
  const twice = planned.find((file, index) => file.path === planned[index + 1]?.path);
  if (twice) throw new UserError("template", `The template writes ${twice.path} twice.`);
  return planned;
}

function planFile(file: TemplateFile, answers: Answers): PlannedFile {
  const isRendered = file.path.endsWith(rendered);
  const path = isRendered ? file.path.slice(0, -rendered.length) : file.path;
  const segments = path.split("/");
  const base = segments.pop() ?? "";
  segments.push(spelledDifferently[base] ?? base);
  const target = segments.join("/");
  checkInside(target);
  return {
    path: target,
    bytes: isRendered
      ? Buffer.from(renderText(file.bytes.toString("utf8"), { ...answers }, file.path))
      : file.bytes,
    mode: file.executable ? 0o755 : 0o644,
  };
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
