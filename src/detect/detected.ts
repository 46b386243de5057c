/** What a model file is, as far as its bytes tell without running any of it. */

/** The formats that modelship knows, by the name that `template.yaml` uses in `serves`. */
export const modelKinds = [
  "onnx",
  "skops",
  "sklearn-pickle",
  "pickle",
  "xgboost",
  "lightgbm",
  "catboost",
  "torchscript",
  "torch-export",
  "torch-state-dict",
  "torch-pickle",
  "safetensors",
  "hugging-face",
  "gguf",
  "saved-model",
  "keras",
  "mlflow",
] as const;
export type ModelKind = (typeof modelKinds)[number];

/** How sure the reading is: the format states it; several signs agree; one sign only. */
export type Confidence = "certain" | "likely" | "guess";

/** `string` and `any` stand for what has no fixed size; the others are NumPy's names. */
export type DataType =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "string"
  | "any";

/** A tensor or a column that the model takes or gives. */
export interface ModelField {
  /** As the file spells it: data, never code. */
  name: string;
  dtype: DataType;
  /** `null` is a free dimension, a text a named one; the batch dimension is first where the format says so. */
  shape: readonly (number | string | null)[] | undefined;
}

export interface Detected {
  kind: ModelKind;
  confidence: Confidence;
  /** One line for people: `ONNX, opset 17, written by skl2onnx 1.20`. */
  summary: string;
  /** The library that wrote or loads it. */
  library: { name: string; version: string | undefined } | undefined;
  /** Class of the model or architecture, where the file names it: `RandomForestClassifier`, `BertForSequenceClassification`. */
  architecture: string | undefined;
  /** What it does, in Hugging Face's words, where known: `text-classification`, `text-generation`, `tabular-classification`. */
  task: string | undefined;
  inputs: readonly ModelField[];
  outputs: readonly ModelField[];
  /** Names of the columns, in their order, where the file states them; of their number, only the count is known. */
  features: { count: number; names: readonly string[] | undefined } | undefined;
  /** The classes of a classifier, in their order. */
  labels: readonly (string | number)[] | undefined;
  /** The files that make up the model, absolute, the main one first. */
  files: readonly string[];
  /** What the user has to know: a pickle runs code, a schema is not stated, custom code is asked for. */
  warnings: readonly string[];
  /** More that the format states, for templates and for `--json`: context length, quantisation, chat template... */
  details: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}
