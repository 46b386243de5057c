import { basename } from "node:path";
import { expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import type { Detected } from "../../../src/detect/detected.js";
import { parseCudaChoice } from "../../../src/image/accelerator/choice.js";
import { readCompatibility } from "../../../src/image/accelerator/compatibility.js";
import { readRequired } from "../../../src/image/accelerator/requirement.js";
import { decideBase } from "../../../src/image/base.js";
import { packagePath } from "../../../src/package.js";
import { filesFor, planProject } from "../../../src/scaffold/plan.js";
import { ejsRenderer } from "../../../src/scaffold/render.js";
import { templateFor } from "../../../src/scaffold/select.js";
import { findTemplate, listTemplates, readTemplateFiles } from "../../../src/scaffold/template.js";
import { belowOneFolder, templateModel } from "../../../src/scaffold/template-model.js";
import { templateVariables } from "../../../src/scaffold/variables.js";
import { detectedAs } from "../../setup/detected.js";

const template = await findTemplate("tensorflow");

async function fixture(name: string): Promise<Detected> {
  const { found } = await detectModel(packagePath(`test/fixtures/models/tensorflow/${name}`));
  return found[0] as Detected;
}

/** Text files of the project, by their paths. */
async function project(found: Detected | null, accelerator = "cpu"): Promise<Record<string, string>> {
  const model = found && templateModel(found, belowOneFolder(found.files).files);
  const facts = { name: "digits", python: "3.12", answers: { accelerator }, model };
  const files = filesFor(await readTemplateFiles(template), template.files, model ? "model" : "example");
  const planned = planProject(files, ejsRenderer(templateVariables(facts)));
  return Object.fromEntries(planned.map(({ path, bytes }) => [basename(path), bytes.toString("utf8")]));
}

test.each(["sequential.keras", "functional.keras", "lambda.keras", "legacy.h5", "saved-model"])(
  "%s becomes a project of TensorFlow",
  async (name) => {
    expect(templateFor(await fixture(name), await listTemplates())?.name).toBe("tensorflow");
  },
);

test("a Keras network's inputs and outputs are arrays, and its file is loaded without its code", async () => {
  const files = await project(await fixture("functional.keras"));
  expect(files["model.py"]).toContain('left: Float32[np.ndarray, "n 4"]');
  expect(files["model.py"]).toContain('chance: Float32[np.ndarray, "n 1"]');
  expect(files["model.py"]).toContain(
    'load_model(files / "functional.keras", compile=False, safe_mode=True)',
  );
  expect(files["model.py"]).not.toContain("TODO(modelship)");
  expect(JSON.parse(files["request.json"] ?? "")).toEqual({ left: [0.5, 0.5, 0.5, 0.5], right: [1, 1] });
});

test("a SavedModel is called by its signature, and its strings are texts", async () => {
  const files = await project(await fixture("saved-model"));
  expect(files["model.py"]).toContain('self.network.signatures["serving_default"]');
  expect(files["model.py"]).toContain('names: Shaped[np.ndarray, "n"]');
  expect(JSON.parse(files["request.json"] ?? "")).toMatchObject({ names: "a text" });
});

test("a file that holds code is not loaded, and the project says what to do", async () => {
  const files = await project(await fixture("lambda.keras"));
  expect(files["model.py"]).toContain('raise RuntimeError("TODO(modelship) in model.py: the file holds code');
  expect(files["README.md"]).toContain("register_keras_serializable");
  expect(files).not.toHaveProperty("request.json");
});

test("the format of Keras 2 is read, and the project says how to convert it", async () => {
  const files = await project(await fixture("legacy.h5"));
  expect(files["README.md"]).toContain('.save("network.keras")');
  expect(JSON.parse(files["request.json"] ?? "")).toEqual({ features: [0.5, 0.5, 0.5, 0.5] });
});

test("a length that is free is _, and a name that is TensorFlow's is no argument", async () => {
  const found = detectedAs({
    kind: "keras",
    files: ["/x/image.keras"],
    inputs: [{ name: "tf", dtype: "float32", shape: [null, null, null, 3] }],
    outputs: [{ name: "label", dtype: "float32", shape: [32, 2] }],
  });
  const { "model.py": code } = await project(found);
  expect(code).toContain('tf_: Float32[np.ndarray, "n _ _ 3"]');
  expect(code).not.toContain("TODO(modelship)");
});

test.each([
  ["a batch of a fixed size", { inputs: [{ name: "x", dtype: "float32", shape: [8, 4] }] }, "takes 8 rows"],
  ["no signature", { inputs: [], details: {} }, "does not say all"],
] as const)("a SavedModel with %s has one place to settle", async (_, given, says) => {
  const found = detectedAs({
    kind: "saved-model",
    files: ["/x/saved_model.pb"],
    outputs: [{ name: "y", dtype: "float32", shape: [null, 2] }],
    details: { signature: "serving_default" },
    ...given,
  });
  const { "model.py": code = "" } = await project(found);
  expect(code.match(/# TODO\(modelship\)/g)).toHaveLength(1);
  expect(code).toContain(says);
});

test.each([
  ["cpu", "tensorflow-cpu==", undefined],
  ["cuda", "tensorflow[and-cuda]==", "wheels"],
] as const)("for %s it requires %s, and every version is pinned", async (accelerator, needs, cuda) => {
  const { "requirements.txt": text = "", "modelship.yaml": settings } = await project(null, accelerator);
  expect(text).toContain(needs);
  expect(text.includes("tensorflow-cpu==")).toBe(accelerator === "cpu");
  for (const line of text.split("\n").filter((one) => one && !one.startsWith("#")))
    expect(line).toContain("==");
  expect(/^accelerator: cuda/m.test(settings ?? "")).toBe(accelerator === "cuda");
  for (const python of ["3.10", "3.11", "3.12", "3.13"]) {
    const decision = decideBase({
      python,
      required: readRequired("r.txt", new Map([["r.txt", text]])),
      hashed: false,
      accelerator,
      platform: undefined,
      cuda: parseCudaChoice("auto"),
      base: undefined,
      torchIndex: "auto",
      ownIndex: undefined,
      onnx: false,
      data: await readCompatibility("/", null),
    });
    expect(decision).toMatchObject({ reference: `python:${python}-slim-bookworm`, notes: [] });
    expect(decision.cuda?.in).toBe(cuda);
  }
});
