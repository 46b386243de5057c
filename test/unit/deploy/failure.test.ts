import { describe, expect, test } from "vitest";
import { lastWords, notReady, serviceFailed, wasStopped } from "../../../src/deploy/failure.js";
import type { LogLine } from "../../../src/docker/logs.js";

const errors = (...lines: string[]): LogLine[] => lines.map((line) => ({ stream: "stderr", line }));
const output = (...lines: string[]): LogLine[] => lines.map((line) => ({ stream: "stdout", line }));
const state = { exitCode: 3, oomKilled: false, error: "" };
const traceback = [
  "Traceback (most recent call last):",
  '  File "/app/model.py", line 4, in load',
  "    self.weights = open(files / 'x')",
  "FileNotFoundError: [Errno 2] No such file or directory: '/app/model/x'",
];

describe("a service that ended", () => {
  test("because its model did not load is told with the user's own traceback", () => {
    const lines = [...output('{"event":"starting"}'), ...errors("noise", ...traceback, "")];
    const error = serviceFailed("digits", { state, lines }, false);
    expect(error).toMatchObject({
      code: "service_failed",
      exitCode: 5,
      message: "The model of digits did not load.",
      why: traceback.at(-1),
      excerpt: traceback,
    });
  });

  test("shows where a traceback began that another one followed", () => {
    const second = ["Traceback (most recent call last):", "  ...", "RuntimeError: cannot load"];
    const between = ["", "The above exception was the direct cause of the following exception:", ""];
    expect(lastWords(errors(...traceback, ...between, ...second))).toEqual([
      ...traceback,
      ...between,
      ...second,
    ]);
    expect(lastWords(errors(...second, "later", ...traceback))).toEqual(traceback);
  });

  test("shows its last lines where there is no traceback", () => {
    const many = Array.from({ length: 50 }, (_, index) => `line ${index}`);
    expect(lastWords(output(...many))).toEqual(many.slice(-20));
    expect(lastWords([...output("chatter"), ...errors("boom")])).toEqual(["boom"]);
    expect(lastWords([])).toEqual([]);
  });

  test("is told apart by how it ended", () => {
    const message = (change: object, ready = false) =>
      serviceFailed("digits", { state: { ...state, ...change }, lines: [] }, ready).message;
    expect(message({ exitCode: 137, oomKilled: true })).toBe(
      "digits ran out of memory before it was ready and was killed.",
    );
    expect(message({ exitCode: 137 }, true)).toBe("digits was killed.");
    expect(message({ exitCode: 1 })).toBe("digits ended before it was ready.");
    expect(message({ exitCode: 3 }, true)).toBe("digits ended.");
  });

  test("was stopped where it ended well or is gone", () => {
    const stopped = (exitCode: number) => wasStopped({ state: { ...state, exitCode }, lines: [] });
    expect([stopped(0), stopped(143), stopped(1), stopped(137)]).toEqual([true, true, false, false]);
    expect(wasStopped({ state: undefined, lines: [] })).toBe(true);
  });
});

test("a service that is not ready in time is told with its last lines", () => {
  expect(notReady("digits", 2, output("loading"))).toMatchObject({
    code: "service_not_ready",
    exitCode: 5,
    excerpt: ["loading"],
  });
});
