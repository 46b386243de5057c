import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { DataType, Detected, ModelKind } from "../../../src/detect/detected.js";
import { filesFor, planProject } from "../../../src/scaffold/plan.js";
import { ejsRenderer } from "../../../src/scaffold/render.js";
import { listTemplates, readTemplateFiles, type Template } from "../../../src/scaffold/template.js";
import { templateModel, unknownModel } from "../../../src/scaffold/template-model.js";
import { templateVariables } from "../../../src/scaffold/variables.js";
import { detectedAs } from "../../setup/detected.js";
import { hostileNames } from "../../setup/hostile-names.js";

/**
 * Each template is rendered for a model whose names are code, and for one whose names are plain: the projects have to
 * differ in texts and identifiers only.
 */
const templates = await listTemplates();
const plainNames = hostileNames.map((_, index) => `name${index}`);

const cases = templates.flatMap((template) =>
  template.name === "custom"
    ? [
        [template.name, "unknown"],
        [template.name, "keras"],
      ]
    : template.serves.map((kind) => [template.name, kind]),
);

test.each(cases)("the template %s for a model of the kind %s", { timeout: 30_000 }, async (name, kind) => {
  const template = templates.find((one) => one.name === name) as Template;
  const python = { plain: [] as [string, string][], hostile: [] as [string, string][] };
  for (const shape of ["columns", "count", "tensors", "nothing"] as const) {
    const plain = await render(template, kind as ModelKind, shape, plainNames);
    const hostile = await render(template, kind as ModelKind, shape, hostileNames);
    expect([...hostile.keys()]).toEqual([...plain.keys()]);
    for (const [path, text] of hostile) {
      const other = plain.get(path) ?? "";
      if (path.endsWith(".json")) expect(shapeOf(JSON.parse(text))).toEqual(shapeOf(JSON.parse(other)));
      else expect(text.split("\n").length, path).toBe(other.split("\n").length);
      if (path.endsWith(".yaml")) expect(shapeOf(parse(text))).toEqual(shapeOf(parse(other)));
      if (path.endsWith(".ts")) expect(skeleton(text), path).toBe(skeleton(other));
      if (path.endsWith(".md")) expect(text).not.toMatch(/<(?!\/?(br|sub|sup)>)[a-z!/]/i);
      if (path.endsWith(".py")) {
        python.plain.push([`${shape} ${path}`, other]);
        python.hostile.push([`${shape} ${path}`, text]);
      }
    }
  }
  const [plain, hostile] = structuresOfPython([python.plain, python.hostile]);
  expect(hostile).toEqual(plain);
});

type Shape = "columns" | "count" | "tensors" | "nothing";

async function render(
  template: Template,
  kind: ModelKind | "unknown",
  shape: Shape,
  names: readonly string[],
): Promise<Map<string, string>> {
  // A file's name has no separator and no NUL; what else it has, it may have.
  const file = `${(names[0] ?? "").replaceAll("/", "")}.bin`;
  const model =
    kind === "unknown" ? unknownModel([file]) : templateModel(describe(kind, shape, names, template), [file]);
  const facts = { name: "digits", python: "3.12", answers: defaults(template), model };
  const files = filesFor(await readTemplateFiles(template), template.files, "model");
  const planned = planProject(files, ejsRenderer(templateVariables(facts)));
  return new Map(
    planned
      .filter(({ bytes }) => !bytes.includes(0))
      .map(({ path, bytes }) => [path, bytes.toString("utf8")]),
  );
}

function describe(kind: ModelKind, shape: Shape, names: readonly string[], template: Template): Detected {
  const all = names.join(" ");
  const fields = (of: readonly string[]) =>
    of.map((name) => ({ name, dtype: "float32" as DataType, shape: [null, 2] }));
  return detectedAs({
    kind,
    summary: all,
    library: { name: all, version: all },
    architecture: all,
    task: template.tasks?.[0] ?? all,
    inputs: shape === "tensors" || kind === "onnx" ? fields(names) : [],
    outputs: shape === "tensors" || kind === "onnx" ? fields(names) : [],
    features:
      shape === "columns"
        ? { count: names.length, names }
        : shape === "count"
          ? { count: 4, names: undefined }
          : undefined,
    labels: shape === "nothing" ? undefined : names,
    warnings: names,
    details: { ...Object.fromEntries(names.map((name, index) => [`detail${index}`, name])), trusted: names },
  });
}

function defaults(template: Template): Record<string, string> {
  return Object.fromEntries(template.questions.map((question) => [question.name, question.default]));
}

/** The syntax trees, without what texts and names are. */
function structuresOfPython(sets: [string, string][][]): unknown[] {
  const program = `
import ast, json, sys, warnings
warnings.simplefilter("ignore")
def structure(node):
    if isinstance(node, ast.JoinedStr):
        return "text"
    if isinstance(node, ast.Constant):
        return type(node.value).__name__
    if isinstance(node, ast.AST):
        return [type(node).__name__, *[structure(getattr(node, field)) for field in node._fields if field != "type_comment"]]
    if isinstance(node, list):
        return [structure(item) for item in node]
    return None
print(json.dumps([{path: structure(ast.parse(text)) for path, text in files} for files in json.load(sys.stdin)]))
`;
  const input = JSON.stringify(sets);
  return JSON.parse(
    execFileSync("python3", ["-c", program], { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }),
  );
}

/** Keys are names where a row has them: only their number counts. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === "object" && value !== null) return Object.values(value).map(shapeOf);
  return typeof value;
}

/** TypeScript without what its texts and names are. */
function skeleton(text: string): string {
  return text
    .replace(/"(?:[^"\\\n]|\\.)*"/g, "T")
    .replace(/^(\s*)(\/\/|\*).*$/gm, "$1$2")
    .replace(/[A-Za-z_$][\w$]*/g, "T");
}
