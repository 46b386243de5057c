/** What a model takes and gives, as the HTTP side sees it; all that crosses to the model's thread is plain data. */
import type { TensorSpec, Tensors } from "./tensor.js";

export type JsonSchema = Record<string, unknown>;

/** Rows as JSON has them, or tensors by name. */
export type Inputs = unknown[] | Tensors;
/** Rows as JSON text, one each, or tensors by name. */
export type Outputs = string[] | Tensors;

export interface Decoded {
  inputs: Inputs;
  rows: number;
  many: boolean;
}

export interface Schema {
  readonly kind: "rows" | "arrays";
  /** One row in, any number of pieces out. */
  readonly streams: boolean;
  readonly maxRows: number;
  readonly input: JsonSchema;
  readonly output: JsonSchema;
  /** The row itself has a field `rows`, so that a single one is sent as one of many. */
  readonly envelopeOnly: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Throws ApiError 400 or 422. */
  decode(body: Buffer): Decoded;
  /** Throws OutputError. */
  encode(outputs: Outputs, many: boolean): string;
  fromTensors(tensors: Tensors): Decoded;
  toTensors(outputs: Outputs): Tensors;
  /** What may share a batch has the same. */
  bucket(inputs: Inputs): string;
  slice(inputs: Inputs, start: number, stop: number): Inputs;
  merge(parts: readonly Outputs[]): Outputs;
}

/** The model returned something that its schema does not promise. */
export class OutputError extends Error {}

/** What the model's thread says of a model; a schema is made of it. */
export type Description =
  | { kind: "rows"; input: JsonSchema; output: JsonSchema; streams: boolean; defaults: boolean }
  | { kind: "arrays"; inputs: ArraySpec[]; outputs: ArraySpec[]; batch: number };

/** An array without its batch; a length may be a number, a name, or `_` for any. */
export interface ArraySpec {
  name: string;
  datatype: string;
  dims: (number | string)[];
}
