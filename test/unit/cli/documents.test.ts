import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packagePath } from "../../../src/package.js";

const read = (path: string) => readFileSync(packagePath(path), "utf8");

test("docs/exit-codes.md lists every error code beside its exit code", () => {
  const documented = new Map<string, string>();
  for (const [, exit = "", codes = ""] of read("docs/exit-codes.md").matchAll(
    /^\| (\d+) \|[^|]*\|([^|]*)\|$/gm,
  )) {
    for (const [, code = ""] of codes.matchAll(/`(\w+)`/g)) documented.set(code, exit);
  }
  documented.delete("defect");
  const source = read("src/errors.ts");
  const numbers = new Map(
    [...source.matchAll(/^ {2}(\w+): (\d+),/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const coded = new Map(
    [...source.matchAll(/^ {2}(\w+): ExitCode\.(\w+),/gm)].map(([, code = "", name = ""]) => [
      code,
      numbers.get(name),
    ]),
  );
  expect(coded.size).toBeGreaterThan(10);
  expect(documented).toEqual(coded);
});

test("docs/json.md shows the result of every command", () => {
  const commands = [...read("src/cli.ts").matchAll(/\bname: "(\w+)",\s+summary/g)].map(([, name]) => name);
  const text = read("docs/json.md");
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((name) => !new RegExp(`^### .*\\b${name}\\b`, "m").test(text))).toEqual([]);
});
