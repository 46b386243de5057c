import { describe, expect, it } from "vitest";
import type { UserError } from "../../../src/errors.js";
import { parseProjectFile } from "../../../src/project/project-file.js";

function problem(text: string): UserError {
  try {
    parseProjectFile(text, "modelship.yaml");
  } catch (error) {
    return error as UserError;
  }
  throw new Error("the file was accepted");
}

describe("a project file", () => {
  it("gives what it says, without defaults", () => {
    expect(
      parseProjectFile('name: digits\npython: "3.11"\nmodel: { files: weights/ }\n', "modelship.yaml"),
    ).toEqual({
      name: "digits",
      python: "3.11",
      model: { files: "weights/" },
    });
  });

  it("names file, line, column and the nearest key for an unknown key", () => {
    const error = problem("name: digits\nservice:\n  prt: 80\n");
    expect(error.message).toBe("modelship.yaml:3:3: unknown key `service.prt`.");
    expect(error.hint).toBe("Did you mean `service.port`?");
    expect(error.excerpt).toEqual(["3 |   prt: 80", "  |   ^"]);
    expect(error.exitCode).toBe(2);
  });

  it("finds a key that stands at the wrong level", () => {
    expect(problem("name: a\nport: 80\n").hint).toBe("Did you mean `service.port`?");
  });

  it("lists the valid keys when none is near", () => {
    expect(problem("name: a\nmodel: { zzzzzzz: 1 }\n").hint).toBe("Valid keys here: entry, files.");
  });

  it.each([
    ["service: { port: eighty }", 'modelship.yaml:2:18: `service.port` must be a number, not "eighty".'],
    ["service: { port: 70000 }", "modelship.yaml:2:18: `service.port` must be at most 65535, not 70000."],
    ["python: 3.10", "modelship.yaml:2:9: `python` must be one of 3.10, 3.11, 3.12, 3.13, not 3.1."],
    ["system_packages: libgomp1", 'modelship.yaml:2:18: `system_packages` must be a list, not "libgomp1".'],
    [
      'system_packages: ["a; rm -rf /"]',
      'modelship.yaml:2:19: `system_packages.0` must be a Debian package name, not "a; rm -rf /".',
    ],
    [
      "model: { files: ../elsewhere }",
      'modelship.yaml:2:17: `model.files` must be a path inside the project folder, not "../elsewhere".',
    ],
    ["image: { base: 3 }", "modelship.yaml:2:16: `image.base` must be text, not 3."],
    ["accelerator: tpu", 'modelship.yaml:2:14: `accelerator` must be one of cpu, cuda, not "tpu".'],
  ])("explains %s", (line, message) => {
    expect(problem(`name: a\n${line}\n`).message).toBe(message);
  });

  it("says that the name is missing", () => {
    expect(problem("version: 1.0.0\n").message).toBe("modelship.yaml:1:1: `name` is missing.");
  });

  it.each([
    ["", "modelship.yaml:1:1: it is empty."],
    ["- a\n", "modelship.yaml:1:1: it must be a mapping of keys to values."],
    ["name: a\nname: b\n", /^modelship\.yaml:2:1: it is not valid YAML: Map keys must be unique/],
    ["name: [a\n", /^modelship\.yaml:2:1: it is not valid YAML/],
    ["name: *x\n", /^modelship\.yaml:1:\d+: it is not valid YAML|cannot be read/],
  ])("refuses %j", (text, message) => {
    expect(problem(text).message).toMatch(message);
  });

  it("does not expand a YAML bomb", () => {
    const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    const started = performance.now();
    problem(`a0: &a0 [x]\n${levels.join("\n")}\nname: *a30\n`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
