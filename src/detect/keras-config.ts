import { throwIfAborted } from "../errors.js";
import { damaged } from "./damaged.js";
import { dataTypeOf } from "./data-type.js";
import type { DataType, ModelField } from "./detected.js";
import { isRecord, listAt, numberAt, recordAt, textAt } from "./json.js";
import { oneLine } from "./one-line.js";

/** What the description of a Keras network (`config.json`) tells. */
export interface KerasModel {
  /** Class of the model: `Functional`, `Sequential`, or one of the author's. */
  name: string | undefined;
  task: string | undefined;
  layers: number;
  inputs: readonly ModelField[];
  outputs: readonly ModelField[];
  warnings: readonly string[];
}

const mostLayers = 100_000;
const mostNamed = 10;

type Shape = readonly (number | null)[];

export function readKerasConfig(
  path: string,
  config: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): KerasModel {
  const name = textAt(config, "class_name");
  const inner = recordAt(config, "config");
  const stated = listAt(inner, "layers");
  if (stated.length > mostLayers) throw damaged(path, `It claims ${stated.length} layers.`);
  const layers = stated.filter(isRecord);
  const byName = new Map(layers.map((layer) => [nameOf(layer), layer]));
  const named = (key: string, others: readonly Record<string, unknown>[]) => {
    const chosen = referenced(inner[key]).map((one) => byName.get(one));
    return chosen.length > 0 ? chosen.filter((layer) => layer !== undefined) : others;
  };
  const inputLayers = named(
    "input_layers",
    layers.filter((layer) => textAt(layer, "class_name") === "InputLayer"),
  );
  const outputLayers = named("output_layers", layers.slice(-1));
  const inputs = inputLayers.map(inputField);
  return {
    name,
    task: taskOf(inputs, outputLayers),
    layers: layers.length,
    inputs: inputs.length > 0 || layers.length === 0 ? inputs : statedInput(config, inner),
    outputs: outputLayers.map(outputField),
    warnings: warningsOf(config, signal),
  };
}

function nameOf(layer: Readonly<Record<string, unknown>>): string {
  return textAt(layer, "name") ?? textAt(recordAt(layer, "config"), "name") ?? "";
}

/** Names in `["score", 0, 0]`, in a list of these, or in an object of these. */
function referenced(value: unknown): string[] {
  if (Array.isArray(value)) {
    if (typeof value[0] === "string") return [value[0]];
    return value.flatMap((one) => (Array.isArray(one) && typeof one[0] === "string" ? [one[0]] : []));
  }
  return isRecord(value)
    ? Object.values(value).flatMap((one) => referenced(Array.isArray(one) ? [one].flat() : []))
    : [];
}

function shapeOf(value: unknown): Shape | undefined {
  const isShape =
    Array.isArray(value) &&
    value.length <= 32 &&
    value.every((size) => size === null || (Number.isSafeInteger(size) && size >= 0));
  return isShape ? value : undefined;
}

function inputField(layer: Readonly<Record<string, unknown>>): ModelField {
  const config = recordAt(layer, "config");
  return {
    name: nameOf(layer),
    dtype: dtypeIn(config.dtype),
    // `batch_input_shape` before Keras 3
    shape: shapeOf(config.batch_shape) ?? shapeOf(config.batch_input_shape),
  };
}

/** A Sequential model that was built without an InputLayer. */
function statedInput(
  config: Readonly<Record<string, unknown>>,
  inner: Readonly<Record<string, unknown>>,
): ModelField[] {
  const shape = shapeOf(inner.build_input_shape) ?? shapeOf(recordAt(config, "build_config").input_shape);
  // It was built with some batch, and takes any.
  return shape === undefined ? [] : [{ name: "input", dtype: "float32", shape: [null, ...shape.slice(1)] }];
}

/** Layers that give the shape that they get. */
const keepsShape =
  /^(Activation|Softmax|Dropout|BatchNormalization|LayerNormalization|ReLU|LeakyReLU|ELU|PReLU|Rescaling)$/;

function outputField(layer: Readonly<Record<string, unknown>>): ModelField {
  const config = recordAt(layer, "config");
  const type = textAt(layer, "class_name") ?? "";
  const units = numberAt(config, "units");
  const input = inputShapeOf(layer);
  let shape: Shape | undefined;
  if (type === "Dense" && units !== undefined) shape = [...(input?.slice(0, -1) ?? [null]), units];
  else if (keepsShape.test(type)) shape = input;
  return { name: nameOf(layer), dtype: dtypeIn(config.dtype), shape };
}

/** Where the layer was built, or what the tensor that goes into it states. */
function inputShapeOf(layer: Readonly<Record<string, unknown>>): Shape | undefined {
  const built = shapeOf(recordAt(layer, "build_config").input_shape);
  if (built !== undefined) return built;
  const [call] = listAt(layer, "inbound_nodes");
  const [tensor] = listAt(call, "args");
  return shapeOf(recordAt(tensor, "config").shape);
}

/** `"float32"`, or a policy such as `mixed_float16`, whose results have the second half's type. */
function dtypeIn(value: unknown): DataType {
  const stated = typeof value === "string" ? value : textAt(recordAt(value, "config"), "name");
  return dataTypeOf(stated?.replace(/^mixed_/, "") ?? "float32");
}

function taskOf(
  inputs: readonly ModelField[],
  outputs: readonly Readonly<Record<string, unknown>>[],
): string | undefined {
  const [input, secondInput] = inputs;
  const [output, secondOutput] = outputs;
  if (input === undefined || output === undefined || secondInput || secondOutput) return undefined;
  const rank = input.shape?.length;
  const of = rank === 2 ? "tabular" : rank === 4 ? "image" : undefined;
  if (of === undefined) return undefined;
  const config = recordAt(output, "config");
  const type = textAt(output, "class_name");
  const activation = textAt(config, "activation");
  const units = numberAt(config, "units");
  if (type === "Softmax" || activation === "softmax") return `${of}-classification`;
  if (type === "Dense" && units === 1 && activation === "sigmoid") return `${of}-classification`;
  if (type === "Dense" && units === 1 && activation === "linear" && of === "tabular")
    return "tabular-regression";
  return undefined;
}

/** Code in the file (a Lambda's bytecode), and classes that are not Keras' own and that loading would look up. */
function warningsOf(config: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined): string[] {
  let holdsCode = false;
  const own = new Set<string>();
  const left: unknown[] = [config];
  let seen = 0;
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (++seen % 65_536 === 0) throwIfAborted(signal);
    if (Array.isArray(value)) {
      for (const item of value) if (typeof item === "object" && item !== null) left.push(item);
    } else if (isRecord(value)) {
      const name = textAt(value, "class_name");
      const module = textAt(value, "module");
      if (name === "Lambda" || name === "__lambda__") holdsCode = true;
      else if (name !== undefined && module !== undefined && !/^(keras|tf_keras)(\.|$)/.test(module)) {
        own.add(`${module}.${name}`);
      } else if (name !== undefined && module === undefined && typeof value.registered_name === "string") {
        // Without a module, a class is one that the author registered
        if (value.registered_name.includes(">")) own.add(value.registered_name);
      }
      for (const item of Object.values(value)) if (typeof item === "object" && item !== null) left.push(item);
    }
  }
  const warnings: string[] = [];
  if (holdsCode) {
    warnings.push(
      "The model holds a Lambda layer, which is Python code in the file: Keras refuses it unless safe_mode is off. Load it only if you trust where it comes from.",
    );
  }
  if (own.size > 0) {
    const names = oneLine([...own].slice(0, mostNamed).join(", "));
    warnings.push(
      `The model needs classes that are not Keras' own (${names}): they have to be in your code.`,
    );
  }
  return warnings;
}
