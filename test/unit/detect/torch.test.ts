import { describe, expect, test } from "vitest";
import { detected, fixture } from "./fixture.js";

const tensorNames = ["hidden.weight [8, 4]", "hidden.bias [8]", "out.weight [3, 8]", "out.bias [3]"];

describe("PyTorch", () => {
  test("a scripted module: the arguments of forward, and that their shapes are not stated", async () => {
    expect(await detected(fixture("torch/scripted.pt"))).toMatchObject({
      kind: "torchscript",
      confidence: "certain",
      architecture: "Classifier",
      inputs: [{ name: "features", dtype: "any", shape: undefined }],
      outputs: [{ name: "output" }],
      warnings: [expect.stringContaining("neither the shape nor the type")],
      details: { parameters: 67, tensorNames, forward: "forward(features: Tensor) -> Tensor" },
    });
  });

  test("a traced module: the shapes of the example that it was traced with", async () => {
    expect(await detected(fixture("torch/traced.pt"))).toMatchObject({
      kind: "torchscript",
      inputs: [{ name: "features", dtype: "float32", shape: [null, 4] }],
      features: { count: 4, names: undefined },
      warnings: [expect.stringContaining("traced with")],
      details: { tracedWith: ["float32 [2, 4]"] },
    });
  });

  test("an exported program: inputs and outputs with their free dimensions", async () => {
    const model = await detected(fixture("torch/exported.pt2"));
    const batch = model.inputs[0]?.shape?.[0];
    expect(batch).toMatch(/^s\d+$/);
    expect(model).toMatchObject({
      kind: "torch-export",
      confidence: "certain",
      library: { name: "torch", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      inputs: [{ name: "features", dtype: "float32", shape: [batch, 4] }],
      outputs: [{ name: "softmax", dtype: "float32", shape: [batch, 3] }],
      warnings: [],
      details: { parameters: 67, symbols: [`${batch}: 1 to 1024`] },
    });
  });

  test.each(["torch/state-dict.pt", "torch/legacy.pth"])(
    "%s is a state dict: names and shapes, no schema",
    async (name) => {
      const model = await detected(fixture(name));
      expect(model).toMatchObject({
        kind: "torch-state-dict",
        confidence: "certain",
        inputs: [],
        details: { tensors: 4, parameters: 67, dtype: "float32", tensorNames },
      });
      expect(model.warnings[0]).toContain("weights only");
    },
  );

  test("a checkpoint: where the state dict stands in it", async () => {
    expect(await detected(fixture("torch/checkpoint.pt"))).toMatchObject({
      kind: "torch-state-dict",
      confidence: "likely",
      details: { stateDictKey: "model_state_dict", tensorNames },
    });
  });

  test.each(["torch/module.pt", "torch/legacy-module.pt"])(
    "%s is a pickled module: its class, and that it runs code",
    async (name) => {
      const model = await detected(fixture(name));
      expect(model).toMatchObject({
        kind: "torch-pickle",
        architecture: "Sequential",
        details: { parameters: 67 },
      });
      expect(model.warnings[0]).toContain("it can run any code");
    },
  );

  test("safetensors: what its header says", async () => {
    expect(await detected(fixture("torch/weights.safetensors"))).toMatchObject({
      kind: "safetensors",
      confidence: "certain",
      summary: "safetensors, 4 tensors, 67 parameters of float32",
      details: { tensors: 4, parameters: 67, dtype: "float32", metadata: ["format: pt", "author: tests"] },
    });
  });
});
