import type { Detected, ModelField } from "./detected.js";
import { externalFiles } from "./onnx-files.js";
import { mayBeOnnx, type OnnxModel, type OnnxValue, readOnnx } from "./onnx-graph.js";
import type { FileReader } from "./reader.js";
import { detailsOf, summaryOf } from "./wording.js";

/** The standard's name for its own operators is empty in files. */
const standard = "ai.onnx";
/** Operators that onnxruntime has built in. */
const builtIn = /^(ai\.onnx(\..*)?|com\.microsoft(\..*)?|org\.pytorch\.aten|)$/;

export const onnx: FileReader = {
  name: "onnx",
  recognises: ({ head }) => mayBeOnnx(head),
  async read(file, signal) {
    const model = await readOnnx(file, signal);
    if (!model) return undefined;
    const weights = await externalFiles(file.path, model.external);
    const opset = model.opsets.find(({ domain }) => domain === "" || domain === standard)?.version;
    const { name, version } = model.producer;
    const labels = model.labels.length > 0 ? model.labels : labelsOfMetadata(model);
    return {
      kind: "onnx",
      confidence: "certain",
      summary: summaryOf(
        "ONNX",
        opset === undefined ? undefined : `opset ${opset}`,
        name === "" ? undefined : `written by ${name}${version === "" ? "" : ` ${version}`}`,
        weights.length > 0
          ? `weights in ${weights.length === 1 ? "1 file" : `${weights.length} files`} beside it`
          : undefined,
      ),
      library: name === "" ? undefined : { name, version: version === "" ? undefined : version },
      architecture: undefined,
      task: taskOf(model),
      inputs: model.inputs.map(fieldOf),
      outputs: model.outputs.map(fieldOf),
      features: featuresOf(model),
      labels,
      files: [file.path, ...weights],
      warnings: warningsOf(model),
      details: detailsOf({
        opset,
        opsets: model.opsets.map((one) => `${one.domain || standard} ${one.version}`),
        irVersion: model.irVersion,
        graph: model.graphName || undefined,
        nodes: model.nodes,
        classicalOperators: model.classicalOperators.size ? [...model.classicalOperators].sort() : undefined,
        notTensors: noTensors(model),
        metadata: model.metadata.length
          ? model.metadata.map(([key, value]) => `${key}: ${value.slice(0, 1000)}`)
          : undefined,
      }),
    };
  },
};

function fieldOf({ name, dtype, shape }: OnnxValue): ModelField {
  return { name, dtype, shape };
}

/** Values such as `output_probability: sequence<map<int64, float32>>`. */
function noTensors({ inputs, outputs }: OnnxModel): string[] | undefined {
  const others = [...inputs, ...outputs].filter(({ type }) => type.includes("<"));
  return others.length > 0 ? others.map(({ name, type }) => `${name}: ${type}`) : undefined;
}

function taskOf({ classicalOperators, labels }: OnnxModel): string | undefined {
  if (labels.length > 0) return "tabular-classification";
  return [...classicalOperators].some((name) => name.endsWith("Regressor"))
    ? "tabular-regression"
    : undefined;
}

/** A table is one matrix, or one input a column. */
function featuresOf({ inputs, classicalOperators }: OnnxModel): Detected["features"] {
  const [first] = inputs;
  if (inputs.length === 1 && first?.shape?.length === 2 && typeof first.shape[1] === "number") {
    return classicalOperators.size > 0 ? { count: first.shape[1], names: undefined } : undefined;
  }
  const areColumns = inputs.length > 1 && inputs.every(({ shape }) => shape?.length === 2 && shape[1] === 1);
  return areColumns ? { count: inputs.length, names: inputs.map(({ name }) => name) } : undefined;
}

/** Exports of detectors and classifiers of images carry `names` as a Python dict: `{0: 'person', 1: 'car'}`. */
function labelsOfMetadata({ metadata }: OnnxModel): string[] | undefined {
  const names = metadata.find(([key]) => key === "names")?.[1];
  if (!names?.startsWith("{")) return undefined;
  const labels: string[] = [];
  for (const [, index, single, double] of names.matchAll(/(\d{1,6}): (?:'([^'\\]*)'|"([^"\\]*)")/g)) {
    if (Number(index) !== labels.length) return undefined;
    labels.push(single ?? double ?? "");
  }
  return labels.length > 0 ? labels : undefined;
}

function warningsOf(model: OnnxModel): string[] {
  const warnings: string[] = [];
  const foreign = model.opsets.map(({ domain }) => domain).filter((domain) => !builtIn.test(domain));
  if (foreign.length > 0) {
    warnings.push(
      `It needs operators that onnxruntime has not built in: ${[...new Set(foreign)].join(", ")}.`,
    );
  }
  const unshaped = model.inputs.filter(({ shape, type }) => shape === undefined && !type.includes("<"));
  if (unshaped.length > 0) {
    warnings.push(
      `It does not state the shape of ${unshaped.map(({ name }) => JSON.stringify(name)).join(", ")}.`,
    );
  }
  const other = model.inputs.filter(({ type }) => type.includes("<"));
  if (other.length > 0) warnings.push("It takes values that are no tensors.");
  return warnings;
}
