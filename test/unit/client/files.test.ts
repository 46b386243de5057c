import { expect, test } from "vitest";
import { describeService, unknownService } from "../../../src/client/description.js";
import { clientFile, clientFiles, isClientFile } from "../../../src/client/files.js";
import { describeGraph } from "../../../src/client/tensors.js";
import { openApi } from "./openapi.js";

const types = (document: Parameters<typeof openApi>[0]) => {
  const service = describeService(openApi(document));
  const between = (text: string, from: RegExp, to: RegExp) =>
    (text.split(from)[1] ?? "").split(to)[0]?.trim() ?? "";
  return {
    python: between(clientFile("python", service).text, /^T = .*$/m, /^class ServiceError/m),
    typescript: between(
      clientFile("typescript", service).text,
      /^export type Json.*$/m,
      /^export interface ClientO/m,
    ),
  };
};

test("rows and outputs become types, and a schema that leads back to itself does too", () => {
  const tree = {
    type: "object",
    properties: {
      value: { type: "number", description: "how much" },
      kind: { enum: ["leaf", "twig"] },
      children: { type: "array", items: { $ref: "#/components/schemas/Tree" } },
      "first name": { anyOf: [{ type: "string" }, { type: "null" }] },
    },
    required: ["value", "kind"],
  };
  const { python, typescript } = types({
    input: { $ref: "#/components/schemas/Tree" },
    output: { type: "array", items: { anyOf: [{ type: "integer" }, { type: "string" }] } },
    schemas: { Tree: tree },
  });
  expect(typescript).toBe(`export interface Input {
  /** how much */
  value: number;
  kind: "leaf" | "twig";
  children?: Input[];
  "first name"?: string | null;
}

export type Output = (number | string)[];`);
  expect(python).toBe(`_InputRequired = TypedDict(
    "_InputRequired",
    {
        #: how much
        "value": "float",
        "kind": 'Literal["leaf", "twig"]',
    },
)

_InputOptional = TypedDict(
    "_InputOptional",
    {
        "children": "list[Input]",
        "first name": "str | None",
    },
    total=False,
)


class Input(_InputRequired, _InputOptional):
    """Keys that have to be there, and others."""


Output: TypeAlias = "list[int | str]"`);
});

test("a schema beyond all measure ends, and what is beyond is any JSON", () => {
  let deep: unknown = { type: "string" };
  for (let depth = 0; depth < 5000; depth += 1) deep = { type: "array", items: deep };
  const circle = { anyOf: [{ $ref: "#/components/schemas/B" }, { type: "null" }] };
  const schemas = {
    A: circle,
    B: { $ref: "#/components/schemas/A" },
    ...Object.fromEntries(
      Array.from({ length: 3000 }, (_, at) => [
        `C${at}`,
        {
          type: "object",
          properties: { next: { $ref: `#/components/schemas/C${at + 1}` }, a: { type: "null" } },
        },
      ]),
    ),
  };
  const input = {
    type: "object",
    properties: {
      deep,
      circle,
      many: { $ref: "#/components/schemas/C0" },
      none: { $ref: "elsewhere" },
      odd: { type: 7 },
    },
  };
  const { typescript } = types({ input, output: circle, schemas });
  expect(typescript.length).toBeLessThan(200_000);
  expect(typescript).toContain("none?: Json;");
  expect(typescript).toContain("odd?: Json;");
});

test("types have no name of the client's own, and never two the same", () => {
  const own = { type: "object", properties: { a: { type: "string" } } };
  const names = ["Client", "Stream", "client", "Json", "list", "Output", "a b", "a-b", "1", "é", "Map", "T"];
  const schemas = Object.fromEntries(names.map((name) => [name, own]));
  const properties = Object.fromEntries(
    names.map((name) => [`f${name}`, { $ref: `#/components/schemas/${name}` }]),
  );
  const { typescript, python } = types({ input: { type: "object", properties }, schemas });
  const given = [...typescript.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name);
  expect(new Set(given).size).toBe(given.length);
  expect(given).toEqual(
    expect.arrayContaining(["Client2", "Stream2", "Client3", "Json2", "List", "Output2", "AB", "AB2"]),
  );
  expect(python).toContain("class Client2(TypedDict, total=False):");
});

test("the same description makes the same files, and they are known again", () => {
  const service = describeService(openApi({ input: { type: "string" } }));
  expect(clientFiles(service)).toEqual(clientFiles(service));
  for (const { path, text } of clientFiles(service)) {
    expect(isClientFile(text), path).toBe(true);
    expect(text).not.toMatch(/^\s*(#|\/\/) (if|section|end)\b/m);
  }
  expect(isClientFile("mine = True\n")).toBe(false);
});

test("a client whose types are not known yet says how to get them, and can do everything", () => {
  for (const { text } of clientFiles(unknownService("digits", "0.1.0"))) {
    expect(text).toMatch(
      /types are not known yet[\s\S]*`modelship client (python|typescript)` makes it again/,
    );
    expect(text).toMatch(/\bpredict\([\s\S]*\bstream\([\s\S]*\bchat\(/);
  }
});

test("a graph's tensors are nested lists without the batch", () => {
  const service = describeGraph({
    name: "wine",
    version: "0.1.0",
    inputs: [{ name: "image", dtype: "float32", shape: ["n", 3, null] }],
    outputs: [
      { name: "label", dtype: "int64", shape: [null] },
      { name: "__proto__", dtype: "any", shape: null },
    ],
  });
  expect(service.maxRows).toBe(1024);
  const { text } = clientFile("typescript", service);
  expect(text).toContain("export interface Input {\n  image: number[][];\n}");
  expect(text).toContain("export interface Output {\n  label: number;\n  __proto__: Json;\n}");
  expect(text).not.toContain("chat");
});
