import { expect, test } from "vitest";
import { checkInside, planProject } from "../../../src/scaffold/plan.js";

const answers = {
  name: "digits",
  python: "3.12",
  version: "1.0.0",
  schema: "https://example.test/schema.json",
};
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
  const [planned] = planProject([file("a.ejs", "<%= name %>")], { ...answers, name: `"a" & <b>` });
  expect(planned?.bytes.toString()).toBe(`"a" & <b>`);
});

test.each(["<%= nmae %>", "<%= locals.nmae.length %>", "<% if ( %>"])(
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
  expect(() => planProject([file("a.txt"), file("a.txt.ejs")], answers)).toThrow("writes a.txt twice");
});

test.each(["../a", "/a", "a/../../b", "a//b", "C:\\a", "a\\b", "a/./b", "", "a\0b", "C:a"])(
  "the path %j is refused",
  (path) => {
    expect(() => checkInside(path)).toThrow("may not be written");
  },
);
