/** The row view of a model: objects in and objects out, as its JSON Schemas say. */
import { invalid } from "../errors.js";
import { parseJson } from "../http/body.js";
import { type Column, columnsOf, specOf } from "./columns.js";
import { rowsOf } from "./envelope.js";
import { rowsOfTensors, tensorsOfRows } from "./row-tensors.js";
import { RowRules } from "./rules.js";
import type { Decoded, Description, Inputs, JsonSchema, Outputs, Schema } from "./schema.js";
import type { TensorSpec, Tensors } from "./tensor.js";

export class RowSchema implements Schema {
  readonly kind = "rows";
  readonly streams: boolean;
  readonly maxRows: number;
  readonly input: JsonSchema;
  readonly output: JsonSchema;
  readonly envelopeOnly: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #rules: RowRules;
  readonly #inputColumns: readonly Column[];
  readonly #outputColumns: readonly Column[];

  constructor(description: Extract<Description, { kind: "rows" }>, maxRows: number) {
    const { input, output, streams, defaults } = description;
    this.input = input;
    this.output = output;
    this.streams = streams;
    this.maxRows = streams ? 1 : maxRows;
    this.#rules = new RowRules(input, defaults);
    this.#inputColumns = columnsOf(input);
    this.#outputColumns = columnsOf(output);
    this.inputs = this.#inputColumns.map(specOf);
    this.outputs = this.#outputColumns.map(specOf);
    this.envelopeOnly = this.#inputColumns.some(({ name, whole }) => name === "rows" && !whole);
  }

  decode(body: Buffer): Decoded {
    const { rows, many } = rowsOf(parseJson(body), this.envelopeOnly, this.maxRows);
    return this.#checked([...rows], many);
  }

  encode(outputs: Outputs, many: boolean): string {
    const texts = outputs as string[];
    return many ? `{"rows":[${texts.join(",")}]}` : (texts[0] as string);
  }

  fromTensors(tensors: Tensors): Decoded {
    return this.#checked(rowsOfTensors(tensors, this.#inputColumns, this.maxRows), true);
  }

  toTensors(outputs: Outputs): Tensors {
    return tensorsOfRows(outputs as string[], this.#outputColumns);
  }

  bucket(): string {
    return "";
  }

  slice(inputs: Inputs, start: number, stop: number): Inputs {
    return (inputs as unknown[]).slice(start, stop);
  }

  merge(parts: readonly Outputs[]): Outputs {
    return (parts as string[][]).flat();
  }

  #checked(rows: unknown[], many: boolean): Decoded {
    const broken = this.#rules.broken(rows, (index) => (many ? `rows[${index}]` : ""));
    if (broken.length > 0) throw invalid(broken);
    return { inputs: rows, rows: rows.length, many };
  }
}
