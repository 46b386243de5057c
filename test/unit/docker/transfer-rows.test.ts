import { expect, test } from "vitest";
import { LayerTasks } from "../../../src/docker/transfer-rows.js";
import type { ReporterEvent } from "../../../src/reporter.js";

test("each layer is one task, whatever its rows", () => {
  const events: ReporterEvent[] = [];
  const layers = new LayerTasks((event) => events.push(event), "push");
  layers.take({ status: "The push refers to repository [127.0.0.1:5000/x]" });
  for (const id of ["a", "b", "c"]) layers.take({ id, status: "Preparing", progressDetail: {} });
  layers.take({ id: "a", status: "Layer already exists", progressDetail: {} });
  layers.take({ id: "b", status: "Pushing", progressDetail: { current: 512, total: 39 } });
  layers.take({ id: "b", status: "Retrying in 5 seconds", progressDetail: {} });
  layers.take({ id: "b", status: "Pushed", progressDetail: {} });
  layers.take({ id: "b", status: "Pushed", progressDetail: {} });
  layers.take({ id: "1", status: "1: digest: sha256:x size: 1" });
  layers.finish("failed");

  const ended = events.filter((event) => event.type === "task-ended");
  expect(ended.map(({ id, outcome }) => [id, outcome])).toEqual([
    ["push:a", "cached"],
    ["push:b", "done"],
    ["push:c", "failed"],
  ]);
  expect(events.filter((event) => event.type === "task-started")).toHaveLength(3);
  expect(events).toContainEqual({ type: "task-progress", id: "push:b", detail: "Retrying in 5 seconds" });
  const progress = events.find((event) => event.type === "task-progress" && event.current !== undefined);
  expect(progress).toMatchObject({ current: 39, total: 39, unit: "bytes" });
  expect(layers.bytesMoved).toBe(39);
  expect(layers.anySkipped).toBe(true);
});

test("unpacking does not count as transfer", () => {
  const layers = new LayerTasks(() => {}, "pull");
  layers.take({ id: "a", status: "Downloading", progressDetail: { current: 10, total: 100 } });
  layers.take({ id: "a", status: "Extracting", progressDetail: { current: 100, total: 100 } });
  layers.take({ id: "a", status: "Pull complete", progressDetail: {} });
  expect(layers.bytesMoved).toBe(10);
});
