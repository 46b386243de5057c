import { UserError } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import type { DataType, Detected, ModelField } from "./detected.js";
import { pickFromJson } from "./json-walk.js";
import { choose, type Picked } from "./picked.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { pickFromUbj } from "./ubj-walk.js";
import { detailsOf, summaryOf } from "./wording.js";

const time = 5000;
const mostClasses = 20_000;

const parameters = "learner/learner_model_param";
const wanted = choose([
  "learner/attributes",
  "learner/feature_names",
  "learner/feature_types",
  "learner/gradient_booster/name",
  "learner/gradient_booster/gbtree/name",
  "learner/gradient_booster/model/gbtree_model_param/num_trees",
  `${parameters}/num_class`,
  `${parameters}/num_feature`,
  `${parameters}/num_target`,
  "learner/objective/name",
  "version",
]);

/** JSON and UBJ as `save_model` writes them: one tree of values in two spellings. */
export const xgboost: FileReader = {
  name: "xgboost",
  recognises: ({ head }) => isUbj(head) || mayBeJson(head),
  async read(file, signal) {
    const cursor = ByteCursor.ofFile(file);
    if (isUbj(file.head)) return describe(file, await pickFromUbj(cursor, wanted, { signal, time }), "UBJ");
    // Only XGBoost begins like this; other JSON may just have the word in it
    const sure = /^\s{0,20}\{\s{0,20}"learner"\s{0,20}:\s{0,20}\{/.test(file.head.toString("latin1", 0, 200));
    try {
      const picked = await pickFromJson(cursor, wanted, { signal, time });
      return picked.complete || sure ? describe(file, picked, "JSON") : undefined;
    } catch (error) {
      if (!sure && error instanceof UserError && error.code === "model_file") return undefined;
      throw error;
    }
  },
};

function isUbj(head: Buffer): boolean {
  return (
    head.length > 17 &&
    head.toString("latin1", 0, 2) === "{L" &&
    head.toString("latin1", 10, 17) === "learner"
  );
}

function mayBeJson(head: Buffer): boolean {
  return /^\s{0,100}\{/.test(head.toString("latin1", 0, 101)) && head.includes('"learner"');
}

function describe(file: SourceFile, picked: Picked, format: string): Detected | undefined {
  const count = picked.number(`${parameters}/num_feature`);
  const objective = picked.text("learner/objective/name");
  if (picked.complete && (count === undefined || objective === undefined)) return undefined;
  const version = picked.list("version")?.every(Number.isInteger)
    ? picked.list("version")?.join(".")
    : undefined;
  const stated = picked.texts("learner/feature_names");
  const names =
    stated && stated.length > 0 && (count === undefined || stated.length === count) ? stated : undefined;
  const types = picked.texts("learner/feature_types") ?? [];
  const total = names?.length ?? count;
  const booster =
    picked.text("learner/gradient_booster/name") ?? picked.text("learner/gradient_booster/gbtree/name");
  const classes = classesOf(objective, picked.number(`${parameters}/num_class`));
  const trees = picked.number("learner/gradient_booster/model/gbtree_model_param/num_trees");
  const categorical = names?.filter((_, index) => types[index] === "c");
  return {
    kind: "xgboost",
    confidence: "certain",
    summary: summaryOf(
      `XGBoost ${format}`,
      version,
      objective,
      trees === undefined ? undefined : `${trees} trees`,
    ),
    library: { name: "xgboost", version },
    architecture: booster,
    task: taskOf(objective),
    inputs: inputsOf(names, total, types),
    outputs: outputsOf(objective, classes?.length, picked.number(`${parameters}/num_target`)),
    features: total === undefined ? undefined : { count: total, names },
    labels: classes,
    files: [file.path],
    warnings: [
      ...(picked.complete ? [] : ["It is so large that only a part of it was looked at."]),
      ...(names ? [] : ["It states how many columns it takes, and not their names."]),
      ...(types.includes("c") ? ["Some of its columns are categories: give them as in training."] : []),
    ],
    details: detailsOf({
      format,
      objective,
      booster,
      trees,
      categorical: categorical?.length ? categorical : undefined,
      estimator: estimatorOf(picked),
    }),
  };
}

/** XGBoost counts classes from 0; other labels are the training program's. */
function classesOf(objective: string | undefined, stated: number | undefined): number[] | undefined {
  if (objective?.startsWith("binary:")) return [0, 1];
  if (!objective?.startsWith("multi:") || !stated || stated > mostClasses || !Number.isInteger(stated))
    return undefined;
  return Array.from({ length: stated }, (_, index) => index);
}

function taskOf(objective: string | undefined): string | undefined {
  if (!objective) return undefined;
  if (/^(binary|multi):/.test(objective)) return "tabular-classification";
  return /^(reg|count|survival):/.test(objective) ? "tabular-regression" : undefined;
}

const dataTypes: Readonly<Record<string, DataType>> = {
  float: "float32",
  int: "int64",
  i: "bool",
  q: "float32",
};

function inputsOf(
  names: readonly string[] | undefined,
  count: number | undefined,
  types: readonly string[],
): ModelField[] {
  if (count === undefined) return [];
  if (!names) return [{ name: "X", dtype: "float32", shape: [null, count] }];
  return names.map((name, index) => ({
    name,
    dtype: types[index] === undefined ? "float32" : (dataTypes[types[index]] ?? "any"),
    shape: [null],
  }));
}

function outputsOf(
  objective: string | undefined,
  classes: number | undefined,
  targets: number | undefined,
): ModelField[] {
  if (!objective) return [];
  if (objective === "multi:softprob")
    return [{ name: "probabilities", dtype: "float32", shape: [null, classes ?? null] }];
  if (objective === "multi:softmax") return [{ name: "label", dtype: "float32", shape: [null] }];
  const name = objective === "binary:logistic" ? "probability" : "prediction";
  return [{ name, dtype: "float32", shape: targets && targets > 1 ? [null, targets] : [null] }];
}

/** `classifier` or `regressor`, where its class in scikit-learn's style saved it. */
function estimatorOf(picked: Picked): string | undefined {
  const attributes = picked.values.get("learner/attributes") as Record<string, unknown> | undefined;
  const text = attributes?.scikit_learn;
  return typeof text === "string"
    ? /"_estimator_type": ?"(\w{1,30})"/.exec(text.slice(0, 2000))?.[1]
    : undefined;
}
