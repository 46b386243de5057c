import { expect, test } from "vitest";
import { interrupted, UserError } from "../../../src/errors.js";
import { describeError, renderError } from "../../../src/ui/error.js";
import { createStyle } from "../../../src/ui/style.js";

const plain = createStyle({ stream: { isTTY: false }, env: {}, noColor: false });
const coloured = createStyle({ stream: { isTTY: true }, env: {}, noColor: false });
const failure = new UserError("build_failed", "The build failed.", {
  why: "pip found no version of numpy that fits.",
  hint: "Change the pin in requirements.txt.",
  excerpt: ["ERROR: No matching distribution found for numpy==99"],
  cause: new Error("exit code 1", { cause: new Error("the innermost") }),
});

test("an error says what, why, shows the lines, and what to do", () => {
  expect(renderError(failure, plain, false)).toBe(
    [
      "error: The build failed.",
      "  pip found no version of numpy that fits.",
      "  | ERROR: No matching distribution found for numpy==99",
      "hint: Change the pin in requirements.txt.",
      "",
    ].join("\n"),
  );
});

test("--debug adds the stack and every cause", () => {
  const text = renderError(failure, plain, true);
  expect(text).toMatch(/UserError: The build failed\.\n\s+at /);
  expect(text).toMatch(/Caused by: Error: exit code 1/);
  expect(text).toMatch(/Caused by: Error: the innermost/);
});

test("colours are for terminals that want them", () => {
  expect(renderError(failure, coloured, false)).toContain("\u001b[");
  for (const inputs of [
    { stream: { isTTY: true }, env: { NO_COLOR: "1" }, noColor: false },
    { stream: { isTTY: true }, env: { TERM: "dumb" }, noColor: false },
    { stream: { isTTY: true }, env: {}, noColor: true },
    { stream: {}, env: {}, noColor: false },
  ]) {
    expect(renderError(failure, createStyle(inputs), false)).not.toContain("\u001b[");
  }
});

test("escape sequences of others do not reach the terminal", () => {
  const text = renderError(
    new UserError("failed", "no\u001b[2Jway", { excerpt: ["a\u001b]0;title\u0007b"] }),
    plain,
    false,
  );
  expect(text).toBe("error: noway\n  | ab\n");
});

test("anything unexpected is told as a defect, with how to report it", () => {
  const text = renderError(new TypeError("x is undefined"), plain, false);
  expect(text).toContain("error: This is a defect in modelship: x is undefined");
  expect(text).toMatch(/hint: Please report it .*--debug/);
  expect(text).not.toContain("    at ");
  expect(describeError("a thrown text")).toMatchObject({ exitCode: 1, document: { code: "defect" } });
});

test("an interruption is no error", () => {
  expect(renderError(interrupted(), plain, false)).toBe("Interrupted.\n");
  expect(describeError(interrupted()).exitCode).toBe(130);
});
