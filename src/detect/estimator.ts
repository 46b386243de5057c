import type { DataType, Detected, ModelField } from "./detected.js";

/** A value in a saved estimator, whichever format it was saved in. `undefined`: not there, or not plain. */
export type Fact = string | number | boolean | null | undefined | readonly Fact[] | Estimator;

/** An object of scikit-learn or of a library in its style. */
export interface Estimator {
  module: string;
  name: string;
  get(attribute: string): Fact;
}

export interface EstimatorSchema {
  version: string | undefined;
  task: string | undefined;
  features: Detected["features"];
  labels: Detected["labels"];
  inputs: readonly ModelField[];
  outputs: readonly ModelField[];
  /** Class names of a pipeline's steps. */
  steps: readonly string[];
}

/** Pipelines hold searches that hold pipelines, and a file can make that endless. */
const deepest = 6;

/** What a fitted estimator states of its inputs and outputs. */
export function schemaOf(estimator: Estimator): EstimatorSchema {
  const steps = stepsOf(estimator).map(({ name }) => name);
  const first = innermost(estimator, "first");
  const last = innermost(estimator, "last");
  const labels = labelsOf(last) ?? labelsOf(estimator);
  const takesText = /Vectorizer$/.test(first.name) && first.name !== "DictVectorizer";
  const features = takesText ? undefined : featuresOf(estimator);
  const classifies = labels !== undefined || isClassifier(last.name);
  const regresses = !classifies && isRegressor(last.name);
  return {
    version: versionOf(estimator),
    task: classifies
      ? takesText
        ? "text-classification"
        : "tabular-classification"
      : regresses
        ? "tabular-regression"
        : undefined,
    features,
    labels,
    inputs: takesText
      ? [{ name: "text", dtype: "string", shape: [null] }]
      : inputsOf(features, takesNumbersOnly(first)),
    outputs: classifies
      ? classifierOutputs(labels)
      : regresses
        ? [field("prediction", "float64", [null])]
        : [],
    steps,
  };
}

export function isEstimator(fact: Fact): fact is Estimator {
  return typeof fact === "object" && fact !== null && !Array.isArray(fact);
}

function field(name: string, dtype: DataType, shape: ModelField["shape"]): ModelField {
  return { name, dtype, shape };
}

function inputsOf(features: Detected["features"], numbersOnly: boolean): ModelField[] {
  if (!features) return [];
  const dtype = numbersOnly ? "float64" : "any";
  if (!features.names) return [field("X", dtype, [null, features.count])];
  return features.names.map((name) => field(name, dtype, [null]));
}

function classifierOutputs(labels: Detected["labels"]): ModelField[] {
  const dtype = !labels?.length
    ? "any"
    : labels.every((label) => typeof label === "string")
      ? "string"
      : labels.every(Number.isInteger)
        ? "int64"
        : "any";
  return [field("label", dtype, [null])];
}

/** The steps of a pipeline, in their order. */
function stepsOf(estimator: Estimator): Estimator[] {
  const steps = estimator.get("steps");
  if (!Array.isArray(steps)) return [];
  return (steps as readonly Fact[]).flatMap((step) => {
    const part = Array.isArray(step) ? (step as readonly Fact[])[1] : undefined;
    return isEstimator(part) ? [part] : [];
  });
}

/** What a pipeline begins or ends with, and what a search or another wrapper found. */
function innermost(estimator: Estimator, end: "first" | "last"): Estimator {
  let current = estimator;
  for (let depth = 0; depth < deepest; depth += 1) {
    const inner = stepsOf(current).at(end === "first" ? 0 : -1) ?? wrapped(current);
    if (!inner) break;
    current = inner;
  }
  return current;
}

function wrapped(estimator: Estimator): Estimator | undefined {
  for (const attribute of ["best_estimator_", "estimator_", "regressor_", "classifier_"]) {
    // Ensembles have one, too, as the pattern of their parts
    if (attribute === "estimator_" && !/^(RFE(CV)?|SelfTrainingClassifier)$/.test(estimator.name)) continue;
    const inner = estimator.get(attribute);
    if (isEstimator(inner)) return inner;
  }
  return undefined;
}

function featuresOf(estimator: Estimator): Detected["features"] {
  let current: Estimator | undefined = estimator;
  for (let depth = 0; current && depth < deepest; depth += 1) {
    const names = texts(current.get("feature_names_in_")) ?? texts(current.get("_feature_name"));
    if (names) return { count: names.length, names };
    const count =
      current.get("n_features_in_") ?? current.get("_n_features_in") ?? current.get("n_features_");
    if (typeof count === "number" && Number.isSafeInteger(count) && count > 0)
      return { count, names: undefined };
    current = stepsOf(current)[0] ?? wrapped(current);
  }
  return undefined;
}

function texts(fact: Fact): string[] | undefined {
  if (!Array.isArray(fact) || fact.length === 0) return undefined;
  return fact.every((one) => typeof one === "string") ? fact : undefined;
}

function labelsOf(estimator: Estimator): Detected["labels"] {
  const labels = estimator.get("classes_") ?? estimator.get("_classes");
  if (!Array.isArray(labels) || labels.length === 0) return undefined;
  const plain = (labels as readonly Fact[]).map((label) =>
    typeof label === "boolean" ? String(label) : label,
  );
  return plain.every((label) => typeof label === "string" || typeof label === "number")
    ? (plain as (string | number)[])
    : undefined;
}

function versionOf(estimator: Estimator): string | undefined {
  let current: Estimator | undefined = estimator;
  for (let depth = 0; current && depth < deepest; depth += 1) {
    const version = current.get("_sklearn_version");
    if (typeof version === "string" && version !== "") return version;
    current = stepsOf(current)[0] ?? wrapped(current);
  }
  return undefined;
}

/** These look at the columns one by one, so that texts may be among them. */
function takesNumbersOnly(first: Estimator): boolean {
  return !/^(ColumnTransformer|OneHotEncoder|OrdinalEncoder|TargetEncoder|SimpleImputer|FunctionTransformer|FeatureUnion|DictVectorizer|TableVectorizer)$/.test(
    first.name,
  );
}

function isClassifier(name: string): boolean {
  return /Classifier(CV)?$|Classification$|NB$|SVC$|^(LogisticRegression(CV)?|Perceptron|NearestCentroid|\w+DiscriminantAnalysis|LabelPropagation|LabelSpreading)$/.test(
    name,
  );
}

function isRegressor(name: string): boolean {
  return /Regressor(CV)?$|Regression(CV)?$|SVR$|^(Ridge|Lasso|ElasticNet|BayesianRidge|LassoLars|Lars|ARDRegression|KernelRidge|OrthogonalMatchingPursuit|MultiTask\w+)(CV|IC)?$/.test(
    name,
  );
}
