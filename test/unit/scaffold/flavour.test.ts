import { expect, test } from "vitest";
import { innerModel } from "../../../src/scaffold/flavour.js";
import { detectedAs } from "../../setup/detected.js";

const folder = (details: Record<string, string>) =>
  detectedAs({
    kind: "mlflow",
    files: ["/m/MLmodel", "/m/conda.yaml", "/m/data/model.pth", "/m/model.skops"],
    details,
  });

test("a folder of MLflow's is served as the model in it", () => {
  expect(innerModel(folder({ modelKind: "skops", modelPath: "model.skops" }))).toMatchObject({
    kind: "skops",
    files: ["/m/model.skops"],
  });
  expect(innerModel(folder({ modelKind: "torch-pickle", modelPath: "data" }))).toMatchObject({
    kind: "torch-pickle",
    files: ["/m/data/model.pth"],
  });
});

test.each([{}, { modelKind: "something", modelPath: "data" }, { modelKind: "skops", modelPath: "../x" }])(
  "one with %j is as it was",
  (details) => {
    const found = folder(details as Record<string, string>);
    expect(innerModel(found)).toBe(found);
  },
);
