import { describe, expect, it } from "vitest";
import { type PlannedFile, planLayers, weightFiles } from "../../../src/weights/layers.js";

const mega = 1024 * 1024;

function file(path: string, size: number): PlannedFile {
  return { path, file: `/here/${path}`, size, mode: 0o644 };
}

function names(files: readonly PlannedFile[]): string[][] {
  return planLayers(files).map((layer) => layer.files.map(({ path }) => path));
}

describe("the layers of a model", () => {
  it("are one for each file from 64 MB, the largest first, and one for the small files", () => {
    const files = [
      file("m/vocabulary.json", 800),
      file("m/a.bin", 64 * mega),
      file("m/config.json", 64 * mega - 1),
      file("m/b.bin", 5000 * mega),
    ];
    expect(names(files)).toEqual([["m/b.bin"], ["m/config.json", "m/vocabulary.json"], ["m/a.bin"]]);
  });

  it("are none for no files", () => {
    expect(planLayers([])).toEqual([]);
  });

  it("are the same in whatever order the files come", () => {
    const files = Array.from({ length: 200 }, (_, index) =>
      file(`m/${index % 7}/${index}é`, ((index * 37) % 90) * 2 * mega),
    );
    const plan = planLayers(files);
    expect(planLayers(files.toReversed())).toEqual(plan);
    expect(planLayers([...files.slice(71), ...files.slice(0, 71)])).toEqual(plan);
  });

  it("hold their files by the bytes of the names", () => {
    expect(
      names([file("m/é", 1), file("m/z", 1), file("m/a-b", 1), file("m/a/b", 1), file("m/\u{1f600}", 1)]),
    ).toEqual([["m/a-b", "m/a/b", "m/z", "m/é", "m/\u{1f600}"]]);
  });

  it("are at most 40, of similar size where files are many, and leave nothing out", () => {
    const files = Array.from({ length: 203 }, (_, index) => file(`m/shard-${index}`, (4900 + index) * mega));
    const plan = planLayers(files);
    expect(plan).toHaveLength(40);
    expect(plan.flatMap((layer) => layer.files.map(({ path }) => path)).sort()).toEqual(
      files.map(({ path }) => path).sort(),
    );
    const sizes = plan.map(({ size }) => size);
    expect(Math.max(...sizes) / Math.min(...sizes)).toBeLessThan(1.25);
  });

  it("put only the smallest together where there is one file too many", () => {
    const files = Array.from({ length: 41 }, (_, index) => file(`m/${100 + index}`, (100 + index) * mega));
    expect(names(files).filter((layer) => layer.length > 1)).toEqual([["m/100", "m/101"]]);
  });

  it("share out thousands of small files instead of making one long layer", () => {
    const files = Array.from({ length: 100 }, (_, index) => file(`m/${100 + index}`, 50 * mega));
    const plan = planLayers(files);
    expect(plan.length).toBeGreaterThan(8);
    for (const { size } of plan) expect(size).toBeLessThan(513 * mega);
  });

  it.each(["m/.wh.weights", "m/.wh..wh..opq", "m/a\nb", "m/a\\b"])("refuse the name %j", (path) => {
    expect(() => planLayers([file(path, 1)])).toThrow(
      expect.objectContaining({
        code: "model_files",
        message: expect.stringContaining(JSON.stringify(path)),
      }),
    );
  });
});

it("model files go below the container's folder, with fixed modes", () => {
  const files = [
    { path: "model/a.bin", file: "/p/model/a.bin", size: 3, executable: false },
    { path: "model/run", file: "/p/model/run", size: 4, executable: true },
  ];
  expect(weightFiles(files, "/app")).toEqual([
    { path: "app/model/a.bin", file: "/p/model/a.bin", size: 3, mode: 0o644 },
    { path: "app/model/run", file: "/p/model/run", size: 4, mode: 0o755 },
  ]);
});
