import { dataTypeOf } from "./data-type.js";
import type { ModelField } from "./detected.js";
import { isRecord, listAt, parseJson, recordAt, textAt } from "./json.js";

export interface MlflowSignature {
  inputs: readonly ModelField[];
  outputs: readonly ModelField[];
  /** Names of the columns, where the model takes a table. */
  columns: readonly string[] | undefined;
  /** Names of what can be given beside the data. */
  parameters: readonly string[];
}

const mostFields = 20_000;
const mostDimensions = 64;

/** `signature` of an MLmodel file: JSON in texts of YAML. */
export function readSignature(value: unknown): MlflowSignature | undefined {
  if (!isRecord(value)) return undefined;
  const inputs = specsIn(value.inputs);
  const outputs = specsIn(value.outputs);
  if (inputs === undefined && outputs === undefined) return undefined;
  const isTable = inputs !== undefined && inputs.length > 0 && inputs.every(isColumn);
  return {
    inputs: fieldsOf(inputs ?? [], "input"),
    outputs: fieldsOf(outputs ?? [], "output"),
    columns: isTable ? inputs.map((one) => textAt(one, "name") ?? "") : undefined,
    parameters: (specsIn(value.params) ?? []).flatMap((one) => textAt(one, "name") ?? []),
  };
}

function specsIn(value: unknown): Record<string, unknown>[] | undefined {
  const parsed = typeof value === "string" ? parseJson(value) : value;
  if (!Array.isArray(parsed) || parsed.length > mostFields) return undefined;
  return parsed.every(isRecord) ? parsed : undefined;
}

function isColumn(spec: Record<string, unknown>): boolean {
  return spec.type !== "tensor" && textAt(spec, "name") !== undefined;
}

/** Columns and tensors may come without names, if there is only one. */
function fieldsOf(specs: readonly Record<string, unknown>[], name: string): ModelField[] {
  return specs.map((spec, at) => ({
    name: textAt(spec, "name") ?? (specs.length === 1 ? name : `${name}_${at}`),
    ...typeOf(spec),
  }));
}

function typeOf(spec: Record<string, unknown>): Pick<ModelField, "dtype" | "shape"> {
  if (spec.type === "tensor") {
    const tensor = recordAt(spec, "tensor-spec");
    const sizes = listAt(tensor, "shape");
    const isShape = sizes.length <= mostDimensions && sizes.every((size) => Number.isSafeInteger(size));
    return {
      dtype: dataTypeOf(textAt(tensor, "dtype") ?? ""),
      shape: isShape ? sizes.map((size) => (Number(size) < 0 ? null : Number(size))) : undefined,
    };
  }
  if (spec.type === "array") {
    return { dtype: dataTypeOf(textAt(recordAt(spec, "items"), "type") ?? ""), shape: [null, null] };
  }
  return { dtype: dataTypeOf(textAt(spec, "type") ?? ""), shape: [null] };
}
