import { posix, sep } from "node:path";
import type { DataType, Detected } from "../detect/detected.js";
import { exampleRow } from "./example.js";
import { identifiersFor, type ModelColumn } from "./identifiers.js";

/** `model` in templates: what was found, with paths as they are in the project. All text in it is data. */
export interface TemplateModel {
  /** `unknown` for files that nothing is known of. */
  kind: string;
  confidence: string;
  summary: string;
  library: { name: string; version: string | null } | null;
  architecture: string | null;
  task: string | null;
  /** Below `model/`: the file to load. */
  main: string;
  /** Below `model/`, the main one first. */
  files: readonly string[];
  inputs: readonly TemplateField[];
  outputs: readonly TemplateField[];
  features: { count: number; columns: readonly ModelColumn[] | null } | null;
  labels: readonly (string | number)[] | null;
  warnings: readonly string[];
  details: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** A row that fits what the model takes; null where that is not known. */
  example: unknown;
}

export interface TemplateField extends ModelColumn {
  dtype: DataType;
  /** null: not known; in it, null is a free dimension and a text a named one. */
  shape: readonly (number | string | null)[] | null;
  /** The annotation of one row's value in Python: `list[list[float]]`, and what is not known is `Any`. */
  python: string;
}

/** What a reader found -> what templates are given. `files` are the model's files below `model/`, the main one first. */
export function templateModel(found: Detected, files: readonly string[]): TemplateModel {
  const inputs = withIdentifiers(found.inputs, "input");
  const features = found.features && {
    count: found.features.count,
    columns: found.features.names ? columnsOf(found.features.names) : null,
  };
  return {
    kind: found.kind,
    confidence: found.confidence,
    summary: found.summary,
    library: found.library ? { name: found.library.name, version: found.library.version ?? null } : null,
    architecture: found.architecture ?? null,
    task: found.task ?? null,
    main: files[0] ?? "",
    files,
    inputs: inputs.map(field),
    outputs: withIdentifiers(found.outputs, "output").map(field),
    features: features ?? null,
    labels: found.labels ?? null,
    warnings: found.warnings,
    details: found.details,
    example: exampleRow({ kind: found.kind, inputs, features: features ?? null }),
  };
}

/** Files that no reader knows. */
export function unknownModel(files: readonly string[]): TemplateModel {
  return {
    kind: "unknown",
    confidence: "guess",
    summary: "a model of a format that modelship does not know",
    library: null,
    architecture: null,
    task: null,
    main: files[0] ?? "",
    files,
    inputs: [],
    outputs: [],
    features: null,
    labels: null,
    warnings: [],
    details: {},
    example: null,
  };
}

/** Absolute paths -> the deepest folder that holds them all, and the paths below it with forward slashes. */
export function belowOneFolder(paths: readonly string[]): { root: string; files: string[] } {
  const folders = paths.map((path) => path.split(sep).slice(0, -1));
  let depth = folders[0]?.length ?? 0;
  for (const folder of folders) {
    const same = folder.findIndex((part, index) => part !== folders[0]?.[index]);
    depth = Math.min(depth, same < 0 ? folder.length : same);
  }
  const root = folders[0]?.slice(0, depth).join(sep) || sep;
  return { root, files: paths.map((path) => posix.join(...path.split(sep).slice(depth))) };
}

function columnsOf(names: readonly string[]): ModelColumn[] {
  const identifiers = identifiersFor(names, "column");
  return names.map((name, index) => ({ name, identifier: identifiers[index] ?? "" }));
}

function withIdentifiers(fields: Detected["inputs"], fallback: string) {
  const identifiers = identifiersFor(
    fields.map(({ name }) => name),
    fallback,
  );
  return fields.map((one, index) => ({ ...one, identifier: identifiers[index] ?? "" }));
}

function field({
  name,
  identifier,
  dtype,
  shape,
}: Detected["inputs"][number] & { identifier: string }): TemplateField {
  return { name, identifier, dtype, shape: shape ?? null, python: annotation(dtype, shape) };
}

function annotation(dtype: DataType, shape: readonly unknown[] | undefined): string {
  if (shape === undefined) return "Any";
  const depth = Math.max(0, shape.length - 1);
  return `${"list[".repeat(depth)}${scalar(dtype)}${"]".repeat(depth)}`;
}

function scalar(dtype: DataType): string {
  if (dtype === "bool") return "bool";
  if (dtype === "string") return "str";
  if (dtype === "any") return "Any";
  return /^u?int/.test(dtype) ? "int" : "float";
}
