import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import { copyOf, detected, fixture } from "./fixture.js";

const columns = ["width", "count", `it's "x"`];

describe("MLflow folder", () => {
  test.each([
    ["sklearn-cloudpickle", "model.pkl", "cloudpickle", "sklearn-pickle"],
    ["sklearn-skops", "model.skops", "skops", "skops"],
  ])(
    "%s: the signature is the schema, and the flavour's file is read",
    async (name, modelPath, format, modelKind) => {
      const model = await detected(fixture(`mlflow/${name}`));
      expect(model).toMatchObject({
        kind: "mlflow",
        confidence: "certain",
        library: { name: "scikit-learn" },
        architecture: "LogisticRegression",
        inputs: [
          { name: "width", dtype: "float64", shape: [null] },
          { name: "count", dtype: "int64", shape: [null] },
          { name: `it's "x"`, dtype: "float64", shape: [null] },
        ],
        outputs: [{ name: "output", dtype: "int64", shape: [null] }],
        features: { count: 3, names: columns },
        labels: [0, 1],
        details: {
          flavour: "sklearn",
          modelPath,
          serializationFormat: format,
          modelKind,
          inputExample: "input_example.json",
        },
      });
      expect(model.files[0]).toBe("MLmodel");
      expect(model.files).toContain(modelPath);
      expect(model.warnings.some((text) => text.includes("pickle"))).toBe(format === "cloudpickle");
    },
  );

  test("a tensor signature: -1 is a free dimension", async () => {
    expect(await detected(fixture("mlflow/pytorch"))).toMatchObject({
      inputs: [{ name: "input", dtype: "float32", shape: [null, 4] }],
      outputs: [{ name: "output", dtype: "float32", shape: [null, 2] }],
      details: { flavour: "pytorch", modelKind: "torch-pickle" },
    });
  });

  test("a Python function is the author's code", async () => {
    const model = await detected(fixture("mlflow/pyfunc"));
    expect(model.warnings.at(-1)).toContain("loading it runs that code");
    expect(model).toMatchObject({ library: { name: "mlflow" }, features: { names: columns } });
  });

  test("aliases that expand without end are refused", async () => {
    const folder = copyOf("mlflow/sklearn-skops");
    const laughs = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let at = 1; at < 12; at++) {
      const [one, other] = [String.fromCharCode(97 + at), String.fromCharCode(96 + at)];
      laughs.push(`${one}: &${one} [${Array(9).fill(`*${other}`).join(", ")}]`);
    }
    writeFileSync(join(folder, "MLmodel"), `${laughs.join("\n")}\nflavors: {sklearn: {}}\n`);
    await expect(detectModel(folder)).rejects.toMatchObject({
      code: "model_file",
      why: "It is not valid YAML.",
    });
  });

  test("a path out of the folder is not followed, and a link out of it is refused", async () => {
    const folder = copyOf("mlflow/sklearn-skops");
    const description = join(folder, "MLmodel");
    const outside = join(dirname(folder), "outside.skops");
    renameSync(join(folder, "model.skops"), outside);
    writeFileSync(
      description,
      readFileSync(description, "utf8").replaceAll("model.skops", "../outside.skops"),
    );
    expect(await detected(folder)).toMatchObject({ details: { flavour: "sklearn" }, labels: undefined });
    symlinkSync(outside, join(folder, "model.skops"));
    await expect(detectModel(folder)).rejects.toMatchObject({
      code: "model_file",
      message: "model.skops is a link that leads out of the model's folder.",
    });
    rmSync(outside);
  });
});
