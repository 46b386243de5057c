import { expect, test } from "vitest";
import { shownLine } from "../../../src/dev/log-line.js";

const ts = "2026-01-31T12:00:00.123Z";
const time = new Date(ts).toTimeString().slice(0, 8);

function shown(entry: Record<string, unknown>) {
  return shownLine({ stream: "stdout", line: JSON.stringify({ ts, level: "info", ...entry }) });
}

test("a request is one short line", () => {
  const request = { event: "request", method: "POST", route: "/v1/predict", status: 200, request_id: "r" };
  expect(shown({ ...request, ms: 1.234, rows: 1 })?.text).toBe(`${time} POST /v1/predict 200 1.2 ms`);
  expect(shown({ ...request, ms: 123.4, rows: 32 })?.text).toBe(
    `${time} POST /v1/predict 200 123 ms, 32 rows`,
  );
});

test("what went wrong stands out, with its code", () => {
  expect(
    shown({
      level: "warning",
      event: "request",
      method: "GET",
      route: null,
      status: 404,
      ms: 0.1,
      code: "not_found",
    }),
  ).toEqual({ warning: true, text: `${time} GET (no such path) 404 not_found 0.1 ms`, more: [] });
});

test("a traceback follows its reason, line by line", () => {
  const traceback =
    'Traceback (most recent call last):\n  File "model.py", line 3, in predict\nValueError: boom\n';
  expect(
    shown({ level: "error", event: "model_error", request_id: "r", reason: "ValueError: boom", traceback }),
  ).toEqual({
    warning: true,
    text: `${time} ValueError: boom`,
    more: ["Traceback (most recent call last):", '  File "model.py", line 3, in predict', "ValueError: boom"],
  });
});

test("other events show what is known of them", () => {
  expect(
    shown({ level: "warning", event: "example_ignored", file: "e.json", reason: "not JSON" })?.text,
  ).toBe(`${time} example ignored: not JSON file=e.json`);
  expect(shown({ event: "worker_started", worker: 2 })?.text).toBe(`${time} worker started worker=2`);
});

test("what dev says itself, and its own probes, are left out", () => {
  expect(shown({ event: "listening", port: 1 })).toBeUndefined();
  expect(
    shown({ level: "error", event: "request", method: "GET", route: "/readyz", status: 503 }),
  ).toBeUndefined();
});

test.each([
  ["stderr", '{"event": "ready"}'],
  ["stderr", "print of the user"],
  ["stdout", "no JSON"],
  ["stdout", '{"not": "ours"}'],
] as const)("%s: %s goes through as it is", (stream, line) => {
  expect(shownLine({ stream, line })).toEqual({ warning: false, text: line, more: [] });
});
