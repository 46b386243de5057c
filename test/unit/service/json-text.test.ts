import { describe, expect, test } from "vitest";
import { indentJson, jsonProblem } from "../../../src/service/json-text.js";

describe("what is wrong with JSON", () => {
  test.each([
    ['{"a": 1,}', 1, 9],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3],
    ["{'a': 1}", 1, 2],
    ['{"rows": [1, 2}', 1, 15],
    ["hello", 1, 1],
    ['{"a": NaN}', 1, 7],
    ['{"a": 1} x', 1, 10],
  ])("%j: line %i, column %i", (text, line, column) => {
    expect(jsonProblem(text)).toMatchObject({ line, column });
  });

  test("ends too early", () => {
    expect(jsonProblem('{"a": [1,\n 2')).toMatchObject({ line: 2, column: 3, message: "it ends too early" });
  });

  test("nothing", () => {
    expect(jsonProblem('{"a": [1, 2.5e3, null, "x"]}')).toBeUndefined();
  });
});

describe("indented JSON", () => {
  test("keeps short arrays on a line and breaks objects", () => {
    expect(indentJson('{"digit":3,"p":[0.25,0.75],"empty":{},"none":[],"rows":[{"a":1},{"a":2}]}')).toBe(
      `{
  "digit": 3,
  "p": [0.25, 0.75],
  "empty": {},
  "none": [],
  "rows": [
    {
      "a": 1
    },
    {
      "a": 2
    }
  ]
}`,
    );
  });

  test("loses no digits and leaves texts alone", () => {
    const text = '{"id":12345678901234567890,"x":1e-400,"s":"a,b: {\\"c\\": [1]}  é\\\\"}';
    const pretty = indentJson(text);
    expect(pretty).toContain("12345678901234567890");
    expect(pretty).toContain("1e-400");
    expect(pretty.replace(/\n\s*/g, "").replace(/": /, '":')).toContain('"a,b: {\\"c\\": [1]}  é\\\\"');
    expect(JSON.parse(pretty)).toEqual(JSON.parse(text));
  });

  test("breaks arrays that are too long for a line", () => {
    expect(indentJson(`[${Array(100).fill(10).join(",")}]`).split("\n")).toHaveLength(102);
  });
});
