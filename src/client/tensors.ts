import type { JsonSchema, ServiceDescription } from "./description.js";

/** A tensor of a graph, as its file tells. */
export interface Tensor {
  name: string;
  /** NumPy's name, or `string`, or `any`. */
  dtype: string;
  /** The batch first; absent where it is not known. */
  shape?: readonly (number | string | null)[] | null | undefined;
}

export interface Graph {
  name: string;
  version: string;
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
}

const defaultMaxRows = 1024;

/** The service of a graph without code: a row has a value for each input, nested lists without the batch. */
export function describeGraph({ name, version, inputs, outputs }: Graph): ServiceDescription {
  const isAlone = inputs.some(({ shape }) => typeof shape?.[0] === "number");
  return {
    name,
    version,
    api: "v1",
    predict: {
      types: { input: rowOf(inputs), output: rowOf(outputs) },
      definitions: {},
      streams: false,
    },
    chat: false,
    complete: false,
    embed: false,
    maxRows: isAlone ? 1 : defaultMaxRows,
  };
}

function rowOf(tensors: readonly Tensor[]): JsonSchema {
  const properties = Object.fromEntries(tensors.map((tensor) => [tensor.name, typeOfValue(tensor)]));
  return { type: "object", properties, required: tensors.map(({ name }) => name) };
}

function typeOfValue({ dtype, shape }: Tensor): JsonSchema {
  if (!shape) return {};
  let schema: JsonSchema = { type: scalarOf(dtype) };
  for (let depth = 1; depth < shape.length; depth += 1) schema = { type: "array", items: schema };
  return schema;
}

function scalarOf(dtype: string): string | undefined {
  if (dtype === "bool") return "boolean";
  if (dtype === "string") return "string";
  if (/^u?int/.test(dtype)) return "integer";
  return /float/.test(dtype) ? "number" : undefined;
}
