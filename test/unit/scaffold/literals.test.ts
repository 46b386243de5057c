import { execFileSync } from "node:child_process";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { comment, json, md, py, ts, yaml } from "../../../src/scaffold/literals.js";
import { hostileNames } from "../../setup/hostile-names.js";

/** What a file keeps of a text: UTF-8 has no lone surrogates, and the literals write those as escapes. */
const value = {
  names: hostileNames,
  pairs: Object.fromEntries(hostileNames.map((name, index) => [name, index])),
  own: JSON.parse('{"__proto__": {"x": 1}}') as unknown,
  numbers: [0, -1, 1.5, 1e300, 1e-7, 123456789012],
  flags: [true, false, null],
  nothing: { list: [], object: {} },
};

/** As the file has it once it was written. */
const onDisk = (text: string) => Buffer.from(text, "utf8").toString("utf8");

test("Python reads a literal as the value", () => {
  const program =
    "import ast, json, sys; print(json.dumps(ast.literal_eval(sys.stdin.buffer.read().decode('utf-8'))))";
  const read = execFileSync("python3", ["-c", program], { input: py(value), encoding: "utf8" });
  expect(JSON.parse(read)).toEqual(value);
  expect(py(value)).not.toMatch(/[\n\r]/);
});

test("JavaScript reads a literal as the value, with no member that is the prototype", () => {
  const read = runInNewContext(`JSON.stringify(${onDisk(ts(value))})`) as string;
  expect(JSON.parse(read)).toEqual(value);
  expect(runInNewContext(`(${ts(value.own)}).x`)).toBeUndefined();
  expect(ts(value)).not.toMatch(/[\n\r\u2028\u2029]|<\/|<!--|\*\//);
});

test("JSON is JSON, and ends no script element", () => {
  expect(JSON.parse(onDisk(json(value)))).toEqual(value);
  expect(json(value)).not.toMatch(/<\/|<!--/);
});

test("JSON has one line for each row of numbers", () => {
  expect(
    json({
      pixels: [
        [1, 2],
        [3, 4],
      ],
      name: "a",
      empty: [],
      none: {},
    }),
  ).toBe('{\n  "pixels": [\n    [1, 2],\n    [3, 4]\n  ],\n  "name": "a",\n  "empty": [],\n  "none": {}\n}');
});

test("YAML reads a literal as the value, wherever it stands", () => {
  // The parser cannot hold a lone surrogate, nor a member called __proto__.
  const { own: _, ...rest } = value;
  const names = value.names.filter((name) => !/\p{Cs}/u.test(name));
  const plain = { ...rest, names, pairs: names.filter((name) => name !== "__proto__") };
  expect(parse(`a:\n  - b: ${onDisk(yaml(plain))}\n`)).toEqual({ a: [{ b: plain }] });
  expect(yaml(value)).not.toMatch(/[\n\r]/);
});

test.each([
  [Number.NaN, 'float("nan")', "Number.NaN", ".nan"],
  [Number.POSITIVE_INFINITY, 'float("inf")', "Number.POSITIVE_INFINITY", ".inf"],
  [Number.NEGATIVE_INFINITY, 'float("-inf")', "Number.NEGATIVE_INFINITY", "-.inf"],
])("%s has a literal too", (number, python, typescript, inYaml) => {
  expect([py(number), ts(number), yaml(number)]).toEqual([python, typescript, inYaml]);
});

test.each(hostileNames)("a comment with %j is one line that ends nothing", (name) => {
  const text = comment(name);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
  expect(text).not.toMatch(/["\\]|'''|\*\/|\/\*|<\/|<!--|-->/);
  expect(`# ${text}`).not.toMatch(/coding[:=]/i);
  expect([...text].length).toBeLessThanOrEqual(200);
});

test("a comment keeps what does no harm", () => {
  expect(comment("Größe (cm), 50 % of <all> & more")).toBe("Größe (cm), 50 % of <all> & more");
});

test.each(hostileNames)("Markdown with %j holds no markup", (name) => {
  const text = md(name);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}<>@]/u);
  // Whatever begins markup follows a backslash.
  expect(text.replace(/\\[!-/:-@[-`{-~]/g, "x")).not.toMatch(/[`*_[\]|~$\\]|:\/\/|^\s*([#+=-]|\d+[.)])/);
});

test("Markdown shows plain text as it is", () => {
  expect(md("ONNX, opset 17, written by skl2onnx 1.20")).toBe("ONNX, opset 17, written by skl2onnx 1.20");
});
