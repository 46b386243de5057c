import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";
import type { Detected } from "../../../src/detect/detected.js";

/** Files of scikit-learn, ONNX, XGBoost, LightGBM and CatBoost, written by these (make_classical.py). */
const models = fileURLToPath(new URL("../../fixtures/models/", import.meta.url));
const iris = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
const species = ["setosa", "versicolor", "virginica"];
const code = [
  '"""',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a name that would be code in a template
  "${process.exit()}",
  "<%= 1 %>",
  "a\nb: c\n---",
  "</script><script>",
  "{{7*7}}",
  "*/",
  "class",
  "ä 😀",
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "detect-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function only(path: string): Promise<Detected> {
  const { found } = await detectModel(join(models, path));
  expect(found).toHaveLength(1);
  return found[0] as Detected;
}

type Expected = Partial<Detected>;
const sklearn = { name: "scikit-learn", version: "1.9.1" };
const forest: Expected = {
  kind: "sklearn-pickle",
  confidence: "certain",
  library: sklearn,
  architecture: "RandomForestClassifier",
  task: "tabular-classification",
  features: { count: 4, names: iris },
  labels: [0, 1, 2],
  inputs: iris.map((name) => ({ name, dtype: "float64", shape: [null] })),
  outputs: [{ name: "label", dtype: "int64", shape: [null] }],
};
const pipeline: Expected = {
  kind: "sklearn-pickle",
  confidence: "certain",
  library: sklearn,
  architecture: "Pipeline",
  task: "tabular-classification",
  features: { count: 4, names: undefined },
  labels: species,
  inputs: [{ name: "X", dtype: "float64", shape: [null, 4] }],
  outputs: [{ name: "label", dtype: "string", shape: [null] }],
};
const boosted: Expected = {
  kind: "xgboost",
  confidence: "certain",
  library: { name: "xgboost", version: "3.2.0" },
  architecture: "gbtree",
};
const columns = ["petal_length", "petal_width", "colour"];

describe("each file is known by its bytes, with all that it states", () => {
  test.each<[string, Expected]>([
    ...[0, 1, 2, 3, 4, 5].map((protocol): [string, Expected] => [`sklearn/forest-${protocol}.pkl`, forest]),
    ["sklearn/pipeline.joblib", pipeline],
    ["sklearn/pipeline-zlib.joblib", pipeline],
    ["sklearn/pipeline-gzip.joblib", pipeline],
    ["sklearn/pipeline-xz.joblib", { kind: "pickle", confidence: "guess", features: undefined }],
    ["sklearn/pipeline.skops", { ...pipeline, kind: "skops" }],
    ["sklearn/forest.skops", { ...forest, kind: "skops", warnings: [] }],
    [
      "sklearn/columns.joblib",
      {
        kind: "sklearn-pickle",
        features: { count: 3, names: columns },
        inputs: columns.map((name) => ({ name, dtype: "any", shape: [null] })),
        labels: species,
      },
    ],
    ["sklearn/columns.skops", { kind: "skops", features: { count: 3, names: columns }, labels: species }],
    [
      "sklearn/text.pkl",
      {
        task: "text-classification",
        features: undefined,
        inputs: [{ name: "text", dtype: "string", shape: [null] }],
        labels: ["neg", "pos"],
      },
    ],
    [
      "sklearn/regression.pkl",
      {
        architecture: "LinearRegression",
        task: "tabular-regression",
        features: { count: 4, names: iris },
        labels: undefined,
        outputs: [{ name: "prediction", dtype: "float64", shape: [null] }],
      },
    ],
    [
      "sklearn/search.joblib",
      { architecture: "GridSearchCV", features: { count: 4, names: iris }, labels: species },
    ],
    ["sklearn/tree.joblib", { task: "tabular-regression", features: { count: 1, names: undefined } }],
    ["sklearn/in-a-dict.pkl", { kind: "pickle", confidence: "likely", architecture: "LinearRegression" }],
    ["sklearn/settings.pkl", { kind: "pickle", confidence: "guess", architecture: undefined }],
    [
      "sklearn/xgboost.pkl",
      { kind: "pickle", architecture: "XGBClassifier", library: { name: "xgboost", version: undefined } },
    ],
    ["sklearn/names.joblib", { features: { count: code.length, names: code } }],

    [
      "onnx/pipeline.onnx",
      {
        kind: "onnx",
        confidence: "certain",
        library: { name: "skl2onnx", version: "1.20.0" },
        task: "tabular-classification",
        inputs: [{ name: "X", dtype: "float32", shape: [null, 4] }],
        outputs: [
          { name: "label", dtype: "string", shape: [null] },
          { name: "probabilities", dtype: "float32", shape: [null, 3] },
        ],
        features: { count: 4, names: undefined },
        labels: species,
      },
    ],
    [
      "onnx/zipmap.onnx",
      {
        outputs: [
          { name: "output_label", dtype: "string", shape: [null] },
          { name: "output_probability", dtype: "any", shape: undefined },
        ],
        details: expect.objectContaining({
          notTensors: ["output_probability: sequence<map<string, float32>>"],
        }),
      },
    ],
    [
      "onnx/regression.onnx",
      { task: "tabular-regression", outputs: [{ name: "variable", dtype: "float32", shape: [null, 1] }] },
    ],
    [
      "onnx/columns.onnx",
      {
        features: { count: 3, names: columns },
        inputs: [
          { name: "petal_length", dtype: "float32", shape: [null, 1] },
          { name: "petal_width", dtype: "float32", shape: [null, 1] },
          { name: "colour", dtype: "string", shape: [null, 1] },
        ],
      },
    ],
    [
      "onnx/linear.onnx",
      {
        inputs: [{ name: "x", dtype: "float32", shape: ["batch", 4] }],
        outputs: [{ name: "y", dtype: "float32", shape: ["batch", 3] }],
        labels: ["cat", "dog", "cat's dog"],
        features: undefined,
        warnings: [],
        details: expect.objectContaining({
          opset: 17,
          irVersion: 8,
          metadata: expect.arrayContaining(["author: someone"]),
        }),
      },
    ],
    [
      "onnx/image.onnx",
      { inputs: [{ name: "image", dtype: "uint8", shape: ["n", 3, null, 224] }], task: undefined },
    ],
    ["onnx/ir3.onnx", { inputs: [{ name: "x", dtype: "float32", shape: ["batch", 4] }] }],
    ["onnx/custom-operator.onnx", { warnings: [expect.stringContaining("com.example.ops")] }],
    ["onnx/names.onnx", { inputs: [{ name: code.join("\n"), dtype: "float32", shape: ["batch", 4] }] }],

    ...["json", "ubj"].flatMap((format): [string, Expected][] => [
      [
        `xgboost/iris.${format}`,
        {
          ...boosted,
          task: "tabular-classification",
          features: { count: 4, names: iris },
          labels: [0, 1, 2],
          inputs: iris.map((name) => ({ name, dtype: "float32", shape: [null] })),
          outputs: [{ name: "probabilities", dtype: "float32", shape: [null, 3] }],
        },
      ],
      [
        `xgboost/binary.${format}`,
        { ...boosted, labels: [0, 1], outputs: [{ name: "probability", dtype: "float32", shape: [null] }] },
      ],
      [
        `xgboost/numbers.${format}`,
        { ...boosted, task: "tabular-regression", features: { count: 4, names: undefined } },
      ],
      [
        `xgboost/categories.${format}`,
        {
          ...boosted,
          details: expect.objectContaining({ categorical: ["colour"], objective: "reg:squarederror" }),
        },
      ],
    ]),
    [
      "xgboost/linear.json",
      { kind: "xgboost", architecture: "gblinear", features: { count: 4, names: undefined } },
    ],

    [
      "lightgbm/iris.txt",
      {
        kind: "lightgbm",
        confidence: "certain",
        task: "tabular-classification",
        features: { count: 4, names: iris },
        labels: [0, 1, 2],
        outputs: [{ name: "probabilities", dtype: "float64", shape: [null, 3] }],
      },
    ],
    ["lightgbm/binary.txt", { kind: "lightgbm", labels: [0, 1], features: { count: 4, names: undefined } }],
    [
      "lightgbm/categories.txt",
      {
        kind: "lightgbm",
        task: "tabular-regression",
        details: expect.objectContaining({ categorical: ["colour"], categories: '[["blue","red"]]' }),
      },
    ],

    ...["cbm", "json"].flatMap((format): [string, Expected][] => [
      [
        `catboost/iris.${format}`,
        {
          kind: "catboost",
          confidence: "certain",
          library: { name: "catboost", version: "1.2.10" },
          task: "tabular-classification",
          features: { count: 3, names: columns },
          labels: species,
          inputs: [
            { name: "petal_length", dtype: "float32", shape: [null] },
            { name: "petal_width", dtype: "float32", shape: [null] },
            { name: "colour", dtype: "string", shape: [null] },
          ],
        },
      ],
      [
        `catboost/numbers.${format}`,
        { kind: "catboost", task: "tabular-regression", features: { count: 4, names: undefined } },
      ],
    ]),
  ])("%s", async (path, expected) => {
    expect(await only(path)).toMatchObject(expected);
  });

  test("whatever its name and ending are", async () => {
    const source = join(models, "onnx", "linear.onnx");
    await cp(source, join(folder, "notes.txt"));
    const { found } = await detectModel(join(folder, "notes.txt"));
    expect(found.map(({ kind }) => kind)).toEqual(["onnx"]);
  });

  test.each(["package.json", "package-lock.json", "README.md", "LICENSE", "bin/modelship.js", "docs"])(
    "%s is none",
    async (path) => {
      const root = fileURLToPath(new URL("../../../", import.meta.url));
      expect(await detectModel(join(root, path))).toEqual({ found: [] });
    },
  );
});

describe("pickles", () => {
  test("a warning comes with each", async () => {
    for (const name of await readdir(join(models, "sklearn"))) {
      if (name.endsWith(".skops")) continue;
      expect((await only(join("sklearn", name))).warnings).toContainEqual(
        expect.stringContaining("can run any code"),
      );
    }
  });

  test("models of real libraries are not said to do harm", async () => {
    for (const name of await readdir(join(models, "sklearn"))) {
      const warnings = (await only(join("sklearn", name))).warnings.join("\n");
      expect(warnings, name).not.toContain("would reach");
      expect(warnings, name).not.toContain("this code has to be in the project");
    }
  });

  test("what loading would import is named: what harms, and what is the user's own", async () => {
    const path = join(folder, "model.pkl");
    await writeFile(
      path,
      "(dp0\nS'model'\ncmy_package.models\nChurn\n(tRsS'x'\ncposix\nsystem\n(S'true'\ntRs.",
    );
    const { found } = await detectModel(path);
    expect(found[0]?.warnings).toEqual(
      expect.arrayContaining([
        expect.stringContaining("posix.system"),
        expect.stringContaining("my_package.models.Churn"),
      ]),
    );
  });
});

describe("ONNX with external data", () => {
  test("the files of the model are all there", async () => {
    const { files } = await only("onnx/external/linear.onnx");
    const base = join(models, "onnx", "external");
    expect(files).toEqual([join(base, "linear.onnx"), join(base, "weights", "linear.bin")]);
  });

  test("its folder holds one model", async () => {
    const { found } = await detectModel(join(models, "onnx", "external"));
    expect(found.map(({ kind }) => kind)).toEqual(["onnx"]);
  });

  test("a missing file is named", async () => {
    await cp(join(models, "onnx", "external", "linear.onnx"), join(folder, "linear.onnx"));
    await expect(detectModel(join(folder, "linear.onnx"))).rejects.toMatchObject({
      code: "model_file",
      message: expect.stringContaining("weights/linear.bin"),
    });
  });

  test("a link may not lead out of the model's folder", async () => {
    await cp(join(models, "onnx", "external"), join(folder, "model"), { recursive: true });
    await rename(join(folder, "model", "weights", "linear.bin"), join(folder, "secret"));
    await symlink(join(folder, "secret"), join(folder, "model", "weights", "linear.bin"));
    await expect(detectModel(join(folder, "model", "linear.onnx"))).rejects.toMatchObject({
      code: "model_file",
      message: "The model's weights are outside of its folder.",
    });
  });

  test("a hub's cache links the model and its weights to one other folder", async () => {
    await mkdir(join(folder, "snapshot", "weights"), { recursive: true });
    await cp(join(models, "onnx", "external"), join(folder, "blobs"), { recursive: true });
    await symlink(join(folder, "blobs", "linear.onnx"), join(folder, "snapshot", "linear.onnx"));
    await symlink(
      join(folder, "blobs", "weights", "linear.bin"),
      join(folder, "snapshot", "weights", "linear.bin"),
    );
    const { found } = await detectModel(join(folder, "snapshot", "linear.onnx"));
    expect(found[0]?.files).toHaveLength(2);
  });
});

describe("a folder", () => {
  test("with several models gives them all, the surest first", async () => {
    await cp(join(models, "sklearn", "settings.pkl"), join(folder, "a-settings.pkl"));
    await cp(join(models, "lightgbm", "iris.txt"), join(folder, "b.txt"));
    await mkdir(join(folder, "below"));
    await cp(join(models, "catboost", "iris.cbm"), join(folder, "below", "a.cbm"));
    const { found } = await detectModel(folder);
    expect(found.map(({ kind }) => kind)).toEqual(["lightgbm", "catboost", "pickle"]);
  });

  test("shows the good model beside a broken one, and says what is wrong when there is no other", async () => {
    await writeFile(join(folder, "broken.cbm"), Buffer.from("CBM1\xff\xff\xff\xff01234567", "latin1"));
    await expect(detectModel(folder)).rejects.toMatchObject({ code: "model_file" });
    await cp(join(models, "lightgbm", "iris.txt"), join(folder, "good"));
    expect((await detectModel(folder)).found.map(({ kind }) => kind)).toEqual(["lightgbm"]);
  });

  test("that is empty holds none", async () => {
    expect(await detectModel(folder)).toEqual({ found: [] });
  });
});

test("an interrupt ends the reading", async () => {
  await expect(detectModel(models, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "interrupted",
  });
});
