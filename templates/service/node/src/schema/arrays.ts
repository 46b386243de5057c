/** The array view of a model: tensors in and tensors out, by name, the batch first. */
import { refused } from "../errors.js";
import { parseJson } from "../http/body.js";
import { rowsOf } from "./envelope.js";
import { tensorOf } from "./nested.js";
import {
  type ArraySpec,
  type Decoded,
  type Description,
  type Inputs,
  type JsonSchema,
  OutputError,
  type Outputs,
  type Schema,
} from "./schema.js";
import {
  concat,
  firstNotFinite,
  numericOf,
  sizeOf,
  slice,
  type Tensor,
  type TensorSpec,
  type Tensors,
  textOf,
} from "./tensor.js";

export class ArraySchema implements Schema {
  readonly kind = "arrays";
  readonly streams = false;
  readonly maxRows: number;
  readonly input: JsonSchema;
  readonly output: JsonSchema;
  readonly envelopeOnly: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #inputs: readonly ArraySpec[];

  constructor({ inputs, outputs, batch }: Extract<Description, { kind: "arrays" }>, maxRows: number) {
    this.maxRows = batch < 0 ? maxRows : batch;
    this.#inputs = inputs;
    this.input = jsonSchema("Input", inputs);
    this.output = jsonSchema("Output", outputs);
    this.envelopeOnly = inputs.some(({ name }) => name === "rows");
    this.inputs = inputs.map((spec) => tensorSpec(spec, batch));
    this.outputs = outputs.map((spec) => tensorSpec(spec, batch));
  }

  decode(body: Buffer): Decoded {
    const { rows, many } = rowsOf(parseJson(body), this.envelopeOnly, this.maxRows);
    rows.forEach((row, index) => {
      this.#checkRow(row, many ? `rows[${index}]` : "");
    });
    const tensors: Tensors = {};
    for (const spec of this.#inputs) {
      const values = rows.map((row) => (row as Record<string, unknown>)[spec.name]);
      const place = ([row = 0, ...places]: readonly number[]) =>
        `${many ? `rows[${row}].` : ""}${spec.name}${places.map((one) => `[${one}]`).join("")}`;
      tensors[spec.name] = tensorOf(values, spec.datatype, [rows.length, ...lengthsOf(spec)], place);
    }
    checkShapes(this.#inputs, tensors);
    return { inputs: tensors, rows: rows.length, many };
  }

  encode(outputs: Outputs, many: boolean): string {
    const tensors = outputs as Tensors;
    const columns = this.outputs.map(({ name }) => ({ name, tensor: finite(name, tensors[name] as Tensor) }));
    const rows = columns[0]?.tensor.shape[0] ?? 0;
    const texts = Array.from({ length: rows }, (_, row) => {
      const fields = columns.map(({ name, tensor }) => `${JSON.stringify(name)}:${rowText(tensor, row)}`);
      return `{${fields.join(",")}}`;
    });
    return many ? `{"rows":[${texts.join(",")}]}` : (texts[0] as string);
  }

  fromTensors(tensors: Tensors): Decoded {
    const known = new Set(this.inputs.map(({ name }) => name));
    if (Object.keys(tensors).some((name) => !known.has(name)))
      throw refused("*", "an input that the model does not take", "extra_forbidden");
    for (const { name, datatype, shape } of this.inputs) {
      const tensor = tensors[name];
      if (!tensor) throw refused(name, "a value is needed", "missing");
      if (tensor.datatype !== datatype) throw refused(name, `must be ${datatype}`, "datatype");
      if (tensor.shape.length !== shape.length)
        throw refused(name, `must have the shape [${shape.join(", ")}]`, "shape");
    }
    checkShapes(this.#inputs, tensors);
    const first = this.#inputs[0]?.name as string;
    const rows = tensors[first]?.shape[0] ?? 0;
    if (rows < 1 || rows > this.maxRows) throw refused(first, `must have 1 to ${this.maxRows} rows`, "rows");
    return { inputs: tensors, rows, many: true };
  }

  toTensors(outputs: Outputs): Tensors {
    return outputs as Tensors;
  }

  bucket(inputs: Inputs): string {
    const tensors = inputs as Tensors;
    return this.#inputs.map(({ name }) => tensors[name]?.shape.slice(1).join()).join(";");
  }

  slice(inputs: Inputs, start: number, stop: number): Inputs {
    const parts = Object.entries(inputs as Tensors).map(([name, one]) => [name, slice(one, start, stop)]);
    return Object.fromEntries(parts) as Tensors;
  }

  merge(parts: readonly Outputs[]): Outputs {
    const merged: Tensors = {};
    for (const { name } of this.outputs) {
      const whole = concat(parts.map((part) => (part as Tensors)[name] as Tensor));
      if (!whole)
        throw new OutputError("the model returned other shapes for one part of a request than for another");
      merged[name] = whole;
    }
    return merged;
  }

  #checkRow(row: unknown, place: string): void {
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw refused(place === "" ? "body" : place, "must be an object", "model_type");
    const dot = place === "" ? "" : `${place}.`;
    for (const { name } of this.#inputs)
      if (!Object.hasOwn(row, name)) throw refused(`${dot}${name}`, "a value is needed", "missing");
    if (Object.keys(row).length > this.#inputs.length)
      throw refused(`${dot}*`, "a field that the model does not take", "extra_forbidden");
  }
}

function lengthsOf({ dims }: ArraySpec): number[] {
  return dims.map((dim) => (typeof dim === "number" ? dim : -1));
}

function tensorSpec(spec: ArraySpec, batch: number): TensorSpec {
  return { name: spec.name, datatype: spec.datatype, shape: [batch, ...lengthsOf(spec)] };
}

/** Fixed lengths are as they should be, and those of the same name are equal. */
function checkShapes(specs: readonly ArraySpec[], tensors: Tensors): void {
  const lengths = new Map<string, number>();
  const first = specs[0]?.name as string;
  const batch = tensors[first]?.shape[0];
  for (const spec of specs) {
    const [rows, ...shape] = (tensors[spec.name] as Tensor).shape;
    if (rows !== batch) throw refused(spec.name, `must have ${batch} rows, as ${first} has`, "shape");
    spec.dims.forEach((dim, level) => {
      const length = shape[level] as number;
      if (typeof dim === "number") {
        const wanted = [-1, ...lengthsOf(spec)].join(", ");
        if (length !== dim) throw refused(spec.name, `must have the shape [${wanted}]`, "shape");
      } else if (dim !== "_") {
        const before = lengths.get(dim) ?? length;
        if (before !== length)
          throw refused(
            spec.name,
            `must have ${before} as its length ${dim}, as there is elsewhere`,
            "shape",
          );
        lengths.set(dim, length);
      }
    });
  }
}

function finite(name: string, tensor: Tensor): Tensor {
  const index = firstNotFinite(tensor);
  if (index === undefined) return tensor;
  const row = Math.floor(index / Math.max(1, sizeOf(tensor.shape.slice(1))));
  throw new OutputError(`the model returned a number that is not finite at rows[${row}].${name}`);
}

function rowText(tensor: Tensor, row: number): string {
  const size = sizeOf(tensor.shape.slice(1));
  const write = (level: number, start: number, width: number): string => {
    const length = tensor.shape[level];
    if (length === undefined) return textOf(tensor, start);
    const step = length === 0 ? 0 : width / length;
    const items = Array.from({ length }, (_, index) => write(level + 1, start + index * step, step));
    return `[${items.join(",")}]`;
  };
  return write(1, row * size, size);
}

function jsonSchema(title: string, specs: readonly ArraySpec[]): JsonSchema {
  const properties = Object.fromEntries(
    specs.map((spec) => {
      let schema = scalarSchema(spec.datatype);
      for (const length of lengthsOf(spec).reverse()) {
        const fixed = length >= 0 ? { minItems: length, maxItems: length } : {};
        schema = { type: "array", items: schema, ...fixed };
      }
      return [spec.name, schema];
    }),
  );
  const required = Object.keys(properties);
  return { title, type: "object", properties, required, additionalProperties: false };
}

function scalarSchema(datatype: string): JsonSchema {
  const kind = numericOf(datatype);
  if (!kind) return { type: "string" };
  if (kind.kind === "bool") return { type: "boolean" };
  if (datatype === "FP64") return { type: "number" };
  const type = kind.kind === "float" ? "number" : "integer";
  return { type, minimum: Number(kind.low), maximum: Number(kind.high) };
}
