import type { DataType, ModelField } from "../detect/detected.js";
import type { ModelColumn } from "./identifiers.js";

/** More values than this make no request that anyone reads. */
const mostValues = 1_000_000;
/** A side of a picture whose size is free. */
const pictureSide = 224;
/** Tokens, or another length that is free, of a model that takes whole numbers. */
const sequenceLength = 8;

export interface Described {
  kind: string;
  inputs: readonly (ModelField & { identifier: string })[];
  features: { count: number; columns: readonly ModelColumn[] | null } | null;
}

/**
 * A row that fits what the model takes, with the keys that its service has: the tensors' own names for ONNX, which
 * is served without code, and identifiers for classes. Nothing where the schema is not known.
 */
export function exampleRow({ kind, inputs, features }: Described): Record<string, unknown> | null {
  if (kind !== "onnx" && features?.columns) {
    return Object.fromEntries(features.columns.map(({ identifier }) => [identifier, 0.5]));
  }
  if (kind !== "onnx" && features) {
    return features.count <= mostValues ? { features: new Array(features.count).fill(0.5) } : null;
  }
  if (inputs.length === 0) return null;
  const row: Record<string, unknown> = {};
  let left = mostValues;
  for (const input of inputs) {
    if (input.shape === undefined) return null;
    const lengths = lengthsOf(input, features?.count);
    left -= lengths.reduce((product, length) => product * length, 1);
    if (left < 0) return null;
    define(row, kind === "onnx" ? input.name : input.identifier, tensor(lengths, sampleOf(input.dtype)));
  }
  return row;
}

/** Without the batch, which is the first dimension. A length that is free or named is one that most models take. */
function lengthsOf(input: ModelField, features: number | undefined): number[] {
  const shape = input.shape?.slice(1) ?? [];
  const whole = /^u?int/.test(input.dtype);
  return shape.map((length, index) => {
    if (typeof length === "number" && length >= 0) return length;
    if (shape.length === 3) return isChannel(shape, index) ? 3 : pictureSide;
    if (whole) return sequenceLength;
    return shape.length === 1 && features !== undefined ? features : 1;
  });
}

/** Of three dimensions, the one for the channels is stated in one of two places; where neither is, it is the first. */
function isChannel(shape: readonly unknown[], index: number): boolean {
  return index === 0 && typeof shape[2] !== "number";
}

function sampleOf(dtype: DataType): unknown {
  if (dtype === "bool") return true;
  if (dtype === "string") return "a text";
  return /^u?int/.test(dtype) ? 1 : 0.5;
}

function tensor(lengths: readonly number[], value: unknown): unknown {
  const [length, ...others] = lengths;
  if (length === undefined) return value;
  return Array.from({ length }, () => tensor(others, value));
}

/** `__proto__` too is a name like another. */
function define(row: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(row, key, { value, enumerable: true, configurable: true, writable: true });
}
