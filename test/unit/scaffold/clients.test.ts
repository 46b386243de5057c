import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectClients } from "../../../src/scaffold/clients.js";
import { listTemplates } from "../../../src/scaffold/template.js";
import { templateModel } from "../../../src/scaffold/template-model.js";
import { detectedAs } from "../../setup/detected.js";

const graph = templateModel(
  detectedAs({
    kind: "onnx",
    inputs: [{ name: "features", dtype: "float32", shape: [null, 4] }],
    outputs: [{ name: "label", dtype: "int64", shape: [null] }],
  }),
  ["model.onnx"],
);
const file = (path: string) => ({ path, bytes: Buffer.from("own"), mode: 0o644 });
const texts = (facts: Parameters<typeof projectClients>[0]) =>
  projectClients(facts).map(({ path, bytes }) => [path, bytes.toString()] as const);

test("a graph without code has typed clients", () => {
  const files = new Map(texts({ name: "iris", model: graph, written: [file("README.md")] }));
  expect([...files.keys()]).toEqual(["client.py", "client.ts"]);
  expect(files.get("client.py")).toContain("class Input(TypedDict):\n    features: list[float]\n");
  expect(files.get("client.ts")).toContain("export interface Output {\n  label: number;\n}");
});

test("what a class takes is not known yet, and the clients say how to get its types", () => {
  for (const model of [undefined, graph])
    for (const [, text] of texts({ name: "iris", model, written: [file("model.py")] }))
      expect(text).toMatch(/`modelship client (python|typescript)` makes it again/);
});

test("a client that the template has itself stays", () => {
  const written = [file("client.ts"), file("model.py")];
  expect(texts({ name: "iris", model: undefined, written }).map(([path]) => path)).toEqual(["client.py"]);
});

test("every template keeps the clients out of the image", async () => {
  for (const { name, folder } of await listTemplates()) {
    const ignored = (await readFile(join(folder, "_dockerignore"), "utf8")).split("\n");
    expect(ignored, name).toEqual(expect.arrayContaining(["client.py", "client.ts"]));
  }
});
