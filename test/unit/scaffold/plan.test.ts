import { expect, test } from "vitest";
import { checkInside, filesFor, planProject } from "../../../src/scaffold/plan.js";
import { ejsRenderer } from "../../../src/scaffold/render.js";

const variables = {
  name: "digits",
  python: "3.12",
  version: "1.0.0",
  schema: "https://example.test/schema.json",
  model: null,
};
const answers = ejsRenderer(variables);
const file = (path: string, text = "") => ({ path, bytes: Buffer.from(text), executable: false });

test("a template and answers become files", () => {
  const binary = Buffer.from([0, 255, 60, 37, 61]);
  const planned = planProject(
    [
      file("modelship.yaml.ejs", '# <%= schema %>\nname: <%= name %>\npython: "<%= python %>"\n'),
      file("_gitignore", "*.pyc\n"),
      file("sub/_dockerignore", "x\n"),
      { path: "run.sh", bytes: Buffer.from("#!/bin/sh\n"), executable: true },
      { path: "model/weights.bin", bytes: binary, executable: false },
    ],
    answers,
  );
  expect(planned.map(({ path, mode }) => [path, mode])).toEqual([
    [".gitignore", 0o644],
    ["model/weights.bin", 0o644],
    ["modelship.yaml", 0o644],
    ["run.sh", 0o755],
    ["sub/.dockerignore", 0o644],
  ]);
  expect(planned[2]?.bytes.toString()).toBe(
    '# https://example.test/schema.json\nname: digits\npython: "3.12"\n',
  );
  expect(planned[1]?.bytes).toEqual(binary);
});

test("nothing is escaped for HTML", () => {
  const renderer = ejsRenderer({ ...variables, name: `"a" & <b>` });
  const [planned] = planProject([file("a.ejs", "<%= name %>")], renderer);
  expect(planned?.bytes.toString()).toBe(`"a" & <b>`);
});

test.each(["<%= nmae %>", "<%= locals.nmae.length %>", "<% if ( %>", "<%= model %>"])(
  "%s is an error that names the file",
  (text) => {
    expect(() => planProject([file("README.md.ejs", text)], answers)).toThrow(
      expect.objectContaining({
        code: "template",
        message: "The template file README.md.ejs cannot be rendered.",
        hint: expect.stringContaining("name, python, version, schema"),
      }),
    );
  },
);

test("two files of a template cannot become one", () => {
  expect(() => planProject([file("a.txt"), file("a.txt.ejs", "x")], answers)).toThrow("writes a.txt twice");
});

test("a file that renders to nothing is left out; one that is empty in the template is written", () => {
  const planned = planProject([file("a.ejs", "<% if (model) { %>x<% } %>\n"), file("b")], answers);
  expect(planned.map(({ path }) => path)).toEqual(["b"]);
});

test("files of one occasion are left out of the other, by their path in the template or their folder", () => {
  const files = ["train.py", "model.py", "model.py.ejs", "model/a.bin", "model/deep/b.bin", "models.md"].map(
    (path) => file(path),
  );
  const rules = [
    { path: "train.py", when: "example" },
    { path: "model/**", when: "example" },
    { path: "model.py", when: "example" },
    { path: "model.py.ejs", when: "model" },
  ] as const;
  const paths = (occasion: "example" | "model") =>
    planProject(filesFor(files, rules, occasion), answers).map(({ path }) => path);
  expect(paths("example")).toEqual(["model.py", "model/a.bin", "model/deep/b.bin", "models.md", "train.py"]);
  expect(() => paths("model")).not.toThrow();
  expect(paths("model")).toEqual(["models.md"]);
  expect(() => filesFor(files, [{ path: "trian.py", when: "example" }], "example")).toThrow("trian.py");
});

test.each(["../a", "/a", "a/../../b", "a//b", "C:\\a", "a\\b", "a/./b", "", "a\0b", "C:a"])(
  "the path %j is refused",
  (path) => {
    expect(() => checkInside(path)).toThrow("may not be written");
  },
);
