import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import { copyOf, detected, fixture } from "./fixture.js";

describe("SavedModel", () => {
  test("the signature: names, types and shapes", async () => {
    expect(await detected(fixture("tensorflow/saved-model"))).toMatchObject({
      kind: "saved-model",
      confidence: "certain",
      library: { name: "tensorflow", version: expect.stringMatching(/^2\.\d+\.\d+$/) },
      inputs: [
        { name: "features", dtype: "float32", shape: [null, 4] },
        { name: "names", dtype: "string", shape: [null] },
      ],
      outputs: [
        { name: "names", dtype: "string", shape: [null] },
        { name: "score", dtype: "float32", shape: [null, 1] },
      ],
      files: [
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
      ],
      warnings: [],
      details: { signature: "serving_default", tags: ["serve"] },
    });
  });

  test("saved_model.pb alone stands for its folder", async () => {
    const { found } = await detectModel(fixture("tensorflow/saved-model/saved_model.pb"));
    expect(found).toMatchObject([{ kind: "saved-model", files: { length: 4 } }]);
  });

  test("variables without their index are said to be missing", async () => {
    const folder = copyOf("tensorflow/saved-model");
    rmSync(join(folder, "variables", "variables.index"));
    await expect(detectModel(folder)).rejects.toMatchObject({
      code: "model_file",
      why: expect.stringContaining("no index"),
    });
  });
});

describe("Keras", () => {
  test.each([
    ["sequential.keras", "Keras, written by Keras "],
    ["legacy.h5", "Keras HDF5, written by Keras "],
  ])("%s: input, output and what it is for", async (name, summary) => {
    expect(await detected(fixture(`tensorflow/${name}`))).toMatchObject({
      kind: "keras",
      summary: expect.stringContaining(summary),
      architecture: "Sequential",
      task: "tabular-classification",
      inputs: [{ name: "features", dtype: "float32", shape: [null, 4] }],
      outputs: [{ name: "classes", dtype: "float32", shape: [null, 3] }],
      features: { count: 4, names: undefined },
      warnings: name === "legacy.h5" ? [expect.stringContaining("save it as .keras")] : [],
    });
  });

  test("several inputs and outputs, in the model's order", async () => {
    expect(await detected(fixture("tensorflow/functional.keras"))).toMatchObject({
      architecture: "Functional",
      task: undefined,
      inputs: [
        { name: "left", dtype: "float32", shape: [null, 4] },
        { name: "right", dtype: "int32", shape: [null, 2] },
      ],
      outputs: [
        { name: "score", shape: [null, 1] },
        { name: "chance", shape: [null, 1] },
      ],
    });
  });

  test("a Lambda layer is code in the file", async () => {
    const model = await detected(fixture("tensorflow/lambda.keras"));
    expect(model.warnings).toEqual([expect.stringContaining("Lambda layer, which is Python code")]);
  });
});
