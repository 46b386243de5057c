import { expect, test } from "vitest";
import { checkManifest } from "../../../src/scaffold/manifest.js";
import { serves, templateFor } from "../../../src/scaffold/select.js";
import { detectedAs } from "../../setup/detected.js";

const template = (name: string, more: object = {}) => ({
  name,
  folder: "/",
  ...checkManifest({ title: "x", description: "x", ...more }, name),
});
const templates = [
  template("custom"),
  template("llm", { serves: ["hugging-face", "gguf"], tasks: ["text-generation"] }),
  template("node-onnx", { serves: ["onnx"] }),
  template("onnx", { serves: ["onnx"] }),
  template("transformers", { serves: ["hugging-face"], tasks: ["text-classification"] }),
];

test.each([
  [{ kind: "onnx" }, "onnx"],
  [{ kind: "hugging-face", task: "text-generation" }, "llm"],
  [{ kind: "hugging-face", task: "text-classification" }, "transformers"],
  [{ kind: "hugging-face", task: "something-new" }, undefined],
  [{ kind: "hugging-face" }, undefined],
  [{ kind: "keras" }, undefined],
] as const)("for %j the template is %s", (given, name) => {
  expect(templateFor(detectedAs(given), templates)?.name).toBe(name);
});

test("one that names the task comes before one for any task", () => {
  const any = template("any", { serves: ["hugging-face"] });
  const found = detectedAs({ kind: "hugging-face", task: "text-generation" });
  expect(templateFor(found, [any, ...templates])?.name).toBe("llm");
  expect(serves(any, found)).toBe(true);
});
