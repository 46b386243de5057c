import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { UserError } from "../errors.js";
import { nearest } from "./nearest.js";
import { projectSchema, settings } from "./schema.js";

export const projectFileName = "modelship.yaml";

/** What the file says, checked: nested plain data with only known keys, without defaults. */
export type FileValues = Record<string, unknown>;

/**
 * Reads the text of a modelship.yaml. `file` is the name to show.
 * Throws UserError `project_file` with line, column and, for an unknown key, the nearest valid one.
 */
export function parseProjectFile(text: string, file: string): FileValues {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    maxAliasCount: 0,
  } as never);
  const place = new Place(text, file, lines);
  const problem = document.errors[0];
  if (problem) throw place.error(problem.pos[0], `it is not valid YAML: ${firstLine(problem.message)}`);
  const contents = document.contents;
  if (contents === null)
    throw place.error(0, "it is empty", "Write at least `name: my-model`, or start with `modelship init`.");
  if (!isMap(contents)) throw place.error(contents.range?.[0] ?? 0, "it must be a mapping of keys to values");

  let values: FileValues;
  try {
    values = document.toJS({ maxAliasCount: 100 }) as FileValues;
  } catch (error) {
    throw place.error(0, `it cannot be read: ${firstLine((error as Error).message)}`);
  }
  const checked = projectSchema.safeParse(values);
  if (!checked.success) throw issueError(checked.error.issues, contents, place);
  return values;
}

type Issue = z.core.$ZodIssue;

function issueError(issues: readonly Issue[], root: Node, place: Place): UserError {
  const issue = issues.find((candidate) => candidate.code === "unrecognized_keys") ?? issues[0];
  if (!issue) return place.error(0, "it does not fit the schema");
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    const offset = keyOffset(root, [...path, key]) ?? 0;
    return place.error(offset, `unknown key \`${[...path, key].join(".")}\``, unknownKeyHint(path, key));
  }
  const offset = valueOffset(root, path) ?? 0;
  return place.error(
    offset,
    `\`${path.join(".")}\` ${describe(issue, valueAt(root, path))}`,
    valueHint(issue, path),
  );
}

function describe(issue: Issue, node: Node | undefined): string {
  const given = isScalar(node) ? JSON.stringify(node.value) : undefined;
  switch (issue.code) {
    case "invalid_type":
      return node === undefined
        ? "is missing"
        : `must be ${article(issue.expected)}, not ${given ?? kind(node)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}, not ${given ?? kind(node)}`;
    case "too_small":
      return `must be at least ${issue.minimum}, not ${given ?? "this"}`;
    case "too_big":
      return `must be at most ${issue.maximum}, not ${given ?? "this"}`;
    case "invalid_union":
      return `has a value of the wrong type${given ? `: ${given}` : ""}`;
    default:
      return issue.message.startsWith("must") ? `${issue.message}, not ${given ?? "this"}` : issue.message;
  }
}

function valueHint(issue: Issue, path: readonly string[]): string | undefined {
  if (issue.code === "invalid_value" && path.join(".") === "python") return 'Quote it: python: "3.12".';
  if (issue.code === "invalid_value" && path.join(".") === "node") return 'Quote it: node: "22".';
  const setting = settings().find((candidate) => candidate.path.join(".") === path.join("."));
  if (setting?.default === undefined || setting.default === null) return setting?.description;
  return `For example: ${path.at(-1)}: ${JSON.stringify(setting.default)}`;
}

/** The nearest key at the same level; else the same word at another level. */
function unknownKeyHint(path: readonly string[], key: string): string {
  const known = settings().map((setting) => setting.path);
  const depth = path.length;
  const siblings = known
    .filter((candidate) => path.every((part, index) => candidate[index] === part))
    .map((candidate) => candidate[depth])
    .filter((part) => part !== undefined);
  const near = nearest(key, [...new Set(siblings)]);
  if (near) return `Did you mean \`${[...path, near].join(".")}\`?`;
  const elsewhere = known.find((candidate) => candidate.at(-1) === key);
  if (elsewhere) return `Did you mean \`${elsewhere.join(".")}\`?`;
  return `Valid keys here: ${[...new Set(siblings)].join(", ")}.`;
}

function valueAt(node: Node | undefined, path: readonly string[]): Node | undefined {
  if (path.length === 0) return node;
  return (node as { getIn?: (path: readonly string[], keep: boolean) => unknown } | undefined)?.getIn?.(
    path.map((part) => (/^\d+$/.test(part) ? (Number(part) as unknown as string) : part)),
    true,
  ) as Node | undefined;
}

/** Where a value stands; for a missing one, where its key or nearest parent stands. */
function valueOffset(root: Node, path: readonly string[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const offset = valueAt(root, path.slice(0, length))?.range?.[0];
    if (offset !== undefined) return offset;
  }
  return undefined;
}

function keyOffset(root: Node, path: readonly string[]): number | undefined {
  const parent = valueAt(root, path.slice(0, -1));
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === path.at(-1));
  return (pair?.key as Node | undefined)?.range?.[0];
}

/** Turns offsets into errors that name file, line and column and show the line. */
class Place {
  readonly #text: string;
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(text: string, file: string, lines: LineCounter) {
    this.#text = text;
    this.#file = file;
    this.#lines = lines;
  }

  error(offset: number, what: string, hint?: string): UserError {
    const { line, col } = this.#lines.linePos(offset);
    const source = this.#text.split(/\r?\n/)[line - 1] ?? "";
    const number = String(line);
    return new UserError("project_file", `${this.#file}:${line}:${col}: ${what}.`, {
      hint,
      excerpt: source.trim()
        ? [`${number} | ${source}`, `${" ".repeat(number.length)} | ${" ".repeat(Math.max(0, col - 1))}^`]
        : [],
    });
  }
}

function article(type: string): string {
  const words: Record<string, string> = {
    int: "a whole number",
    number: "a number",
    string: "text",
    boolean: "true or false",
    array: "a list",
    object: "a group of keys",
  };
  return words[type] ?? type;
}

function kind(node: Node | undefined): string {
  return isMap(node) ? "a group of keys" : "a list";
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? text).replace(/[.:]$/, "");
}
