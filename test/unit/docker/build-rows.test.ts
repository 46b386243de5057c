import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { BuildEvent, BuildRow } from "../../../src/docker/build-events.js";
import { BuildKitReading } from "../../../src/docker/buildkit/build-rows.js";
import { ClassicReading } from "../../../src/docker/classic-rows.js";

/** Three builds (good, cached, failing) as four builders answered. */
type Captured = Record<string, Record<"ok" | "cached" | "failed", BuildRow[]>>;
const captured: Captured = JSON.parse(
  readFileSync(new URL("fixtures/build-rows.json", import.meta.url), "utf8"),
);

function read(engine: string, which: "ok" | "cached" | "failed") {
  const events: BuildEvent[] = [];
  const on = (event: BuildEvent) => events.push(event);
  const reading = /classic|podman/.test(engine) ? new ClassicReading(on) : new BuildKitReading(on);
  for (const row of captured[engine]?.[which] ?? []) reading.take(row);
  reading.finish();
  const lines = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
  const steps = events.flatMap((event) => (event.type === "step" ? [event] : []));
  return { reading, events, lines, steps };
}

describe.each(Object.keys(captured))("%s", (engine) => {
  test("a good build: steps, lines and the image's id", () => {
    const { reading, events, lines, steps } = read(engine, "ok");
    expect(reading.error).toBeUndefined();
    expect(reading.imageId).toMatch(/^(sha256:[0-9a-f]{64}|[0-9a-f]{12,64})$/);
    expect(reading.failedStep).toBeUndefined();
    // Five instructions; Podman counts none for a label, BuildKit shares the two FROMs.
    expect(reading.steps).toBeGreaterThanOrEqual(4);
    expect(reading.steps).toBeLessThanOrEqual(5);
    expect(lines).toEqual(expect.arrayContaining(["grün ✓", "100%", "oops", "Step 9/9 : not a step"]));
    expect(lines.filter((line) => line.includes("10%"))).toEqual([]);
    expect(lines).toHaveLength(engine.includes("podman") ? lines.length : 4);

    const started = steps.filter((step) => step.state === "started").map((step) => step.id);
    const ended = steps.filter((step) => step.state !== "started").map((step) => step.id);
    expect(new Set(ended).size).toBe(ended.length);
    expect(new Set(started).size).toBe(started.length);
    for (const id of started) expect(ended).toContain(id);
    const copy = steps.find((step) => step.name.includes("COPY a.txt big.txt") && step.state === "done");
    expect(copy?.seconds).toBeGreaterThanOrEqual(0);
    for (const event of events)
      if (event.type === "progress" && event.total > 0)
        expect(event.current).toBeLessThanOrEqual(event.total);
  });

  test("a cached build says so", () => {
    const { reading, steps } = read(engine, "cached");
    expect(reading.cachedSteps).toBeGreaterThanOrEqual(reading.steps - 1);
    expect(steps.some((step) => step.state === "cached" && step.name.includes("RUN printf"))).toBe(true);
  });

  test("a failing build names the step and its lines", () => {
    const { reading, steps } = read(engine, "failed");
    expect(reading.error).toMatch(/exit code: 1|non-zero code: 1|exit status 1/);
    expect(reading.failedStep?.name).toContain("RUN echo before; false");
    expect(reading.failedStep?.lines).toContain("before");
    expect(steps.filter((step) => step.state === "failed")).toHaveLength(1);
  });
});

test("an error row counts whatever its shape", () => {
  for (const row of [
    { error: "x" },
    { errorDetail: { message: "x" } },
    { error: "y", errorDetail: { message: "x" } },
  ]) {
    const reading = new BuildKitReading(() => {});
    reading.take(row);
    expect(reading.error).toBe("x");
  }
});
