/** What an inference request asks: its tensors, and which outputs it wants and how. */
import { invalid, malformed, refused } from "../../errors.js";
import { checkDepth, parseJson } from "../../http/body.js";
import { tensorOf } from "../../schema/nested.js";
import { RowRules } from "../../schema/rules.js";
import type { Schema } from "../../schema/schema.js";
import { datatypes, numericOf, sizeOf, type Tensor, type Tensors } from "../../schema/tensor.js";
import { jsonLength, readTensor, Tail, textOf } from "./binary.js";

const mostDimensions = 32;

type Parameters = Record<string, unknown>;

interface AskedTensor {
  name: string;
  datatype: string;
  shape: number[];
  parameters?: Parameters | null;
  data?: unknown;
}

interface AskedOutput {
  name: string;
  parameters?: Parameters | null;
}

interface Question {
  inputs: AskedTensor[];
  id?: string | null;
  parameters?: Parameters | null;
  outputs?: AskedOutput[] | null;
}

const text = { type: "string" };
const parameters = { type: ["object", "null"] };
const shape = { type: "array", maxItems: mostDimensions, items: { type: "integer", minimum: 0 } };
const rules = new RowRules(
  {
    type: "object",
    required: ["inputs"],
    properties: {
      inputs: {
        type: "array",
        items: {
          type: "object",
          required: ["name", "datatype", "shape"],
          properties: { name: text, datatype: text, shape, parameters },
        },
      },
      id: { type: ["string", "null"] },
      parameters,
      outputs: {
        type: ["array", "null"],
        items: { type: "object", required: ["name"], properties: { name: text, parameters } },
      },
    },
  },
  false,
);

/** `outputs`: names, and whether each is wanted as bytes. `timeoutS` is what the client gives it. */
export interface Asked {
  tensors: Tensors;
  outputs: ReadonlyMap<string, boolean>;
  id?: string | undefined;
  timeoutS?: number | undefined;
}

/** `header` is the value of Inference-Header-Content-Length. Throws ApiError. */
export function readAsked(body: Buffer, header: string | undefined, schema: Schema, maxDepth: number): Asked {
  const length = header === undefined ? body.length : jsonLength(header, body);
  if (header !== undefined && length === 0)
    return {
      tensors: rawTensor(body, schema),
      outputs: new Map(schema.outputs.map(({ name }) => [name, true])),
    };
  const json = body.subarray(0, length);
  checkDepth(json, maxDepth);
  return readQuestion(json, new Tail(body.subarray(length)), schema);
}

function readQuestion(json: Buffer, tail: Tail, schema: Schema): Asked {
  const value = parseJson(json);
  const broken = rules.broken([value], () => "");
  if (broken.length > 0) throw invalid(broken);
  const question = value as Question;
  const given = question.parameters ?? {};
  if (given.sequence_id) throw malformed("sequence_id: the model keeps nothing from one request to the next");
  const names = new Set(schema.inputs.map(({ name }) => name));
  const tensors: Tensors = {};
  for (const tensor of question.inputs) {
    if (!names.has(tensor.name))
      throw refused("*", "an input that the model does not take", "extra_forbidden");
    if (Object.hasOwn(tensors, tensor.name)) throw refused(tensor.name, "is given twice", "duplicate");
    tensors[tensor.name] = tensorAsked(tensor, tail);
  }
  tail.end();
  return {
    tensors,
    outputs: outputsAsked(question.outputs ?? [], given.binary_data_output === true, schema),
    id: question.id ?? undefined,
    timeoutS: timeoutOf(given.timeout),
  };
}

function tensorAsked(tensor: AskedTensor, tail: Tail): Tensor {
  const { name, datatype } = tensor;
  const given = tensor.parameters ?? {};
  if (!datatypes.includes(datatype))
    throw refused(name, `its datatype must be one of ${datatypes.join(", ")}`, "datatype");
  if ("shared_memory_region" in given) throw malformed(`${name}: shared memory is not supported`);
  const size = given.binary_data_size ?? undefined;
  if (size === undefined) {
    if (tensor.data === undefined) throw refused(name, "data is needed, or binary_data_size", "missing");
    return listedTensor(tensor);
  }
  if (!Number.isInteger(size) || (size as number) < 0)
    throw malformed(`${name}: binary_data_size must be a number of bytes`);
  if (tensor.data !== undefined) throw malformed(`${name}: it has both data and binary_data_size`);
  return readTensor(name, datatype, tensor.shape, tail.take(name, size as number));
}

/** JSON lists: flat in row-major order, or nested as the shape is. */
function listedTensor({ name, datatype, shape: wanted, data }: AskedTensor): Tensor {
  const nested = wanted.length > 1 && Array.isArray(data) && Array.isArray(data[0]);
  const lengths = new Array(nested ? wanted.length : 1).fill(-1);
  const place = (indices: readonly number[]) => name + indices.map((index) => `[${index}]`).join("");
  const found = tensorOf(data, datatype, lengths, place);
  const fits = nested ? found.shape.join() === wanted.join() : found.shape[0] === sizeOf(wanted);
  if (!fits) throw refused(name, "its data must have as many values as its shape says", "shape");
  return { ...found, shape: wanted };
}

/** A body without JSON is the one input of a model that has one: its shape follows from its size. */
function rawTensor(body: Buffer, { inputs }: Schema): Tensors {
  const spec = inputs[0];
  if (!spec || inputs.length !== 1) throw malformed("a body without JSON is for models with one input");
  const { name, datatype } = spec;
  const kind = numericOf(datatype);
  if (!kind) {
    if (spec.shape.some((length) => length !== -1 && length !== 1))
      throw malformed(`${name}: a body without JSON is one string`);
    return { [name]: { datatype, shape: spec.shape.map(() => 1), data: [textOf(name, body)] } };
  }
  const free = spec.shape.flatMap((length, level) => (length < 0 ? [level] : []));
  if (free.length > 2)
    throw malformed(`${name}: a body without JSON is for tensors with one free length beside the batch`);
  const found = spec.shape.map((length) => (length < 0 ? 1 : length));
  const size = sizeOf(found) * kind.size;
  const last = free.at(-1);
  if (last !== undefined && size > 0) found[last] = Math.floor(body.length / size);
  return { [name]: readTensor(name, datatype, found, body) };
}

function outputsAsked(
  wanted: readonly AskedOutput[],
  asBytes: boolean,
  schema: Schema,
): Map<string, boolean> {
  const names = schema.outputs.map(({ name }) => name);
  if (wanted.length === 0) return new Map(names.map((name) => [name, asBytes]));
  return new Map(
    wanted.map(({ name, parameters: given }) => {
      if (!names.includes(name)) throw malformed(`the model has no such output; it has ${names.join(", ")}`);
      if (given?.classification)
        throw malformed(`${name}: classification is not supported; the probabilities are in the output`);
      if (given && "shared_memory_region" in given)
        throw malformed(`${name}: shared memory is not supported`);
      return [name, (given?.binary_data ?? asBytes) === true];
    }),
  );
}

function timeoutOf(microseconds: unknown): number | undefined {
  if (microseconds === undefined || microseconds === null || microseconds === 0) return undefined;
  if (!Number.isInteger(microseconds) || (microseconds as number) < 0)
    throw malformed("timeout must be a number of microseconds");
  return (microseconds as number) / 1e6;
}
