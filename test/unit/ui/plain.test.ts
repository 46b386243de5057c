import { expect, test } from "vitest";
import type { ReporterEvent } from "../../../src/reporter.js";
import { createPlainRenderer } from "../../../src/ui/plain.js";

/** Renders events, each at a time in seconds, and returns the lines. */
function render(events: readonly (readonly [number, ReporterEvent])[], debug = false): string[] {
  let time = 0;
  const parts: string[] = [];
  const renderer = createPlainRenderer({
    write: (part) => parts.push(part),
    debug,
    now: () => time,
    patience: 0,
  });
  for (const [at, event] of events) {
    time = at;
    renderer.report(event);
  }
  renderer.close();
  return parts.join("").split("\n").slice(0, -1);
}

test("a task that ends soon is one line, a longer one is told of while it runs", async () => {
  const parts: string[] = [];
  const { report, close } = createPlainRenderer({
    write: (part) => parts.push(part),
    debug: false,
    patience: 20,
  });
  report({ type: "task-started", id: "a", title: "Quick" });
  report({ type: "task-started", id: "b", title: "Slow" });
  report({ type: "task-ended", id: "a", outcome: "done", seconds: 0 });
  await new Promise((resolve) => setTimeout(resolve, 60));
  report({ type: "task-ended", id: "b", outcome: "done", seconds: 3 });
  close();
  expect(parts).toEqual(["Quick: done in 0.0s\n", "Slow\n", "Slow: done in 3.0s\n"]);
});

test("a task is a line when it starts and a line when it ends", () => {
  expect(
    render([
      [0, { type: "task-started", id: "a", title: "Installing dependencies" }],
      [3, { type: "task-ended", id: "a", outcome: "done", detail: "41 packages" }],
      [3, { type: "task-started", id: "b", title: "Base image" }],
      [3, { type: "task-ended", id: "b", outcome: "cached" }],
    ]),
  ).toEqual([
    "Installing dependencies",
    "Installing dependencies: done in 3.0s, 41 packages",
    "Base image",
    "Base image: cached",
  ]);
});

test("progress is told every few seconds, with real numbers", () => {
  const events: [number, ReporterEvent][] = [[0, { type: "task-started", id: "a", title: "Pushing" }]];
  for (let second = 1; second <= 12; second += 1) {
    const current = second * 10_000_000;
    events.push([second, { type: "task-progress", id: "a", current, total: 200_000_000, unit: "bytes" }]);
  }
  expect(render(events)).toEqual([
    "Pushing",
    "Pushing: 50 MB of 200 MB, 25%, 10 MB/s",
    "Pushing: 100 MB of 200 MB, 50%, 10 MB/s",
  ]);
});

test("a new state, such as a retry, does not wait that long", () => {
  expect(
    render([
      [0, { type: "task-started", id: "a", title: "Pushing" }],
      [2, { type: "task-progress", id: "a", detail: "Retrying in 5 s" }],
      [2.5, { type: "task-progress", id: "a", detail: "Retrying in 5 s" }],
    ]),
  ).toEqual(["Pushing", "Pushing: Retrying in 5 s"]);
});

test("what a task printed is left to the error that follows, unless it is asked for", () => {
  const events: [number, ReporterEvent][] = [
    [0, { type: "task-started", id: "a", title: "Building" }],
    [1, { type: "task-output", id: "a", line: "line 1" }],
    [2, { type: "task-ended", id: "a", outcome: "failed" }],
  ];
  expect(render(events)).toEqual(["Building", "Building: failed after 2.0s"]);
  expect(render(events, true)).toEqual(["Building", "  | line 1", "Building: failed after 2.0s"]);
});

test("nothing moves and nothing is coloured", () => {
  const lines = render([
    [0, { type: "note", message: "a\rb \u001b[31mred\u001b[0m" }],
    [0, { type: "warning", message: "careful", hint: "do this" }],
  ]);
  expect(lines).toEqual(["b red", "warning: careful", "  do this"]);
});
