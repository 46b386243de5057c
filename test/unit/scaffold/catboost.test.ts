import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import type { Detected } from "../../../src/detect/detected.js";
import { packagePath } from "../../../src/package.js";
import { filesFor, planProject } from "../../../src/scaffold/plan.js";
import { ejsRenderer } from "../../../src/scaffold/render.js";
import { templateFor } from "../../../src/scaffold/select.js";
import { findTemplate, listTemplates, readTemplateFiles } from "../../../src/scaffold/template.js";
import { belowOneFolder, templateModel } from "../../../src/scaffold/template-model.js";
import { templateVariables } from "../../../src/scaffold/variables.js";
import { detectedAs } from "../../setup/detected.js";

const template = await findTemplate("catboost");
const fixtures = packagePath("test/fixtures/models/catboost");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "catboost-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function detected(path: string): Promise<Detected> {
  const { found } = await detectModel(path);
  return found[0] as Detected;
}

/** Text files of the project, by their paths. */
async function project(found: Detected | null): Promise<Record<string, string>> {
  const model = found && templateModel(found, belowOneFolder(found.files).files);
  const facts = { name: "cats", python: "3.12", answers: {}, model };
  const files = filesFor(await readTemplateFiles(template), template.files, model ? "model" : "example");
  const planned = planProject(files, ejsRenderer(templateVariables(facts)));
  return Object.fromEntries(planned.map(({ path, bytes }) => [basename(path), bytes.toString("utf8")]));
}

/** As detection tells them of a file of CatBoost. */
function trainedFor(loss: string | undefined, more: Partial<Detected> = {}): Detected {
  return detectedAs({
    kind: "catboost",
    features: { count: 2, names: undefined },
    details: { format: "cbm", ...(loss && { loss }) },
    ...more,
  });
}

test.each(["cbm", "json"])("a classifier in %s has its columns, categories and classes", async (format) => {
  const found = await detected(join(fixtures, `iris.${format}`));
  expect(templateFor(found, await listTemplates())?.name).toBe("catboost");
  const files = await project(found);
  expect(files["model.py"]).toContain('LABELS = ["setosa", "versicolor", "virginica"]');
  expect(files["model.py"]).toContain("petal_width: float = Field(");
  expect(files["model.py"]).toContain("colour: str | int = Field(");
  expect(files["model.py"]).toContain(`format="${format}"`);
  expect(files["model.py"]).toContain('prediction_type="Probability"');
  expect(files["model.py"]).not.toContain("TODO(modelship)");
  const row = { petal_length: 0.5, petal_width: 0.5, colour: "a text" };
  expect(JSON.parse(files["request.json"] ?? "")).toEqual(row);
});

test("columns without names are a list of their number", async () => {
  const files = await project(await detected(join(fixtures, "numbers.cbm")));
  expect(files["model.py"]).toContain("features: list[float] = Field(\n        min_length=4, max_length=4");
  expect(JSON.parse(files["request.json"] ?? "")).toEqual({ features: [0.5, 0.5, 0.5, 0.5] });
});

test("of columns without names, those that are categories take texts and whole numbers only", async () => {
  const files = await project(
    trainedFor("RMSE", { details: { format: "cbm", loss: "RMSE", categorical: ["1"] } }),
  );
  expect(files["model.py"]).toContain("CATEGORIES = [1]");
  expect(files["model.py"]).toContain("def right_kinds(");
  expect(JSON.parse(files["request.json"] ?? "")).toEqual({ features: [0.5, "a text"] });
});

test("classes that are true and false have the names that CatBoost answers", async () => {
  const model = JSON.parse(await readFile(join(fixtures, "iris.json"), "utf8"));
  model.model_info.class_params = { class_label_type: "Boolean", class_names: [false, true] };
  await writeFile(join(folder, "bools.json"), JSON.stringify(model));
  const files = await project(await detected(join(folder, "bools.json")));
  expect(files["model.py"]).toContain('LABELS = ["False", "True"]');
});

test.each([
  ["RMSE", 'prediction_type="RawFormulaVal"', "value: float"],
  ["Poisson", 'prediction_type="Exponent"', "value: float"],
  ["Tweedie:variance_power=1.5", 'prediction_type="Exponent"', "value: float"],
  ["RMSEWithUncertainty", 'prediction_type="RMSEWithUncertainty"', "variance: float"],
  ["MultiQuantile:alpha=0.1,0.9", 'prediction_type="RawFormulaVal"', "values: list[float]"],
  ["MultiLogloss", 'prediction_type="Probability"', "probabilities: list[float]"],
])("a model trained for %s answers with %s: %s", async (loss, prediction, output) => {
  const files = await project(trainedFor(loss));
  expect(files["model.py"]).toContain(prediction);
  expect(files["model.py"]).toContain(output);
  expect(files["model.py"]).not.toContain("TODO(modelship)");
});

test.each([
  ["what it was trained for", trainedFor(undefined)],
  ["how its classes are called", trainedFor("MultiClass", { task: "tabular-classification" })],
  ["how many columns it takes", trainedFor("RMSE", { features: undefined })],
])("a file that does not say %s has one place to say it in", async (_, found) => {
  const files = await project(found);
  expect(files["model.py"]?.match(/TODO\(modelship\)/g)).toHaveLength(1);
});

test("the example foretells a tip from numbers and categories", async () => {
  const files = await project(null);
  expect(files["model.py"]).toContain('day: Literal["Thur", "Fri", "Sat", "Sun"]');
  expect(files).toHaveProperty("train.py");
  expect(files).toHaveProperty("tips.cbm");
});
