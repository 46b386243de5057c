import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { DataType, Detected } from "./detected.js";
import { isRecord } from "./json.js";
import { pickFromJson } from "./json-walk.js";
import { oneLine } from "./one-line.js";
import type { Choose } from "./picked.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, shortCount, summaryOf } from "./wording.js";

/** As the library itself has it. */
const maxHeader = 100_000_000;
const mostTensors = 100_000;
const time = 7000;

/** Bits of an element. */
const dtypes: Readonly<Record<string, { bits: number; name: DataType }>> = {
  BOOL: { bits: 8, name: "bool" },
  U8: { bits: 8, name: "uint8" },
  I8: { bits: 8, name: "int8" },
  U16: { bits: 16, name: "uint16" },
  I16: { bits: 16, name: "int16" },
  F16: { bits: 16, name: "float16" },
  BF16: { bits: 16, name: "bfloat16" },
  U32: { bits: 32, name: "uint32" },
  I32: { bits: 32, name: "int32" },
  F32: { bits: 32, name: "float32" },
  U64: { bits: 64, name: "uint64" },
  I64: { bits: 64, name: "int64" },
  F64: { bits: 64, name: "float64" },
};

export interface SafetensorsHeader {
  tensors: number;
  parameters: number;
  /** Of the most elements. */
  dtype: DataType | undefined;
  metadata: Readonly<Record<string, string>>;
  /** Name and shape of the first and last tensors of a linear layer, in the file's order. */
  shapes: ReadonlyMap<string, readonly number[]>;
}

export const safetensors: FileReader = {
  name: "safetensors",
  // The header is a JSON object, and its length stands before it
  recognises: ({ head }) => head.length >= 10 && head[8] === 0x7b && head.readBigUInt64LE(0) < 1n << 40n,
  async read(file, signal) {
    return describe(file, await readSafetensorsHeader(file, signal));
  },
};

export async function readSafetensorsHeader(
  file: SourceFile,
  signal: AbortSignal | undefined,
): Promise<SafetensorsHeader> {
  const start = await file.bytes(0, 8);
  if (start.length < 8) throw damaged(file.path, "It ends before its header.");
  const stated = start.readBigUInt64LE(0);
  if (stated > BigInt(file.size - 8)) {
    throw damaged(file.path, `Its header claims ${stated} bytes and the file has ${file.size}.`);
  }
  if (stated > maxHeader) throw damaged(file.path, `Its header claims ${stated} bytes.`);
  const length = Number(stated);
  const cursor = ByteCursor.ofFile(file, 8, 8 + length);
  let tensors = 0;
  const each: Choose = () => {
    tensors++;
    if (tensors > mostTensors) throw damaged(file.path, `Its header claims over ${mostTensors} tensors.`);
    return "keep";
  };
  const header = await pickFromJson(cursor, each, { signal, time });
  if (!header.complete) throw damaged(file.path, "Its header is too large to be read in time.");
  return checked(file, header.values, file.size - 8 - length);
}

function checked(file: SourceFile, header: ReadonlyMap<string, unknown>, room: number): SafetensorsHeader {
  const metadata: Record<string, string> = Object.create(null);
  const elementsOf = new Map<DataType, number>();
  const shapes = new Map<string, readonly number[]>();
  let parameters = 0;
  let end = 0;
  for (const [name, value] of header) {
    if (!isRecord(value))
      throw damaged(file.path, `Its header does not describe the tensor ${oneLine(name)}.`);
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries(value)) if (typeof text === "string") metadata[key] = text;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = value;
    if (typeof dtype !== "string" || !isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
      throw damaged(file.path, `Its header does not describe the tensor ${oneLine(name)}.`);
    }
    const [first = 0, last = 0] = offsets;
    if (first > last || last > room) {
      throw damaged(
        file.path,
        `The tensor ${oneLine(name)} lies outside of the file (bytes ${first} to ${last} of ${room}).`,
      );
    }
    const elements = shape.reduce((product, size) => product * size, 1);
    const known = dtypes[dtype];
    if (known !== undefined) {
      if ((elements * known.bits) / 8 !== last - first) {
        throw damaged(file.path, `The size of the tensor ${oneLine(name)} does not fit its shape.`);
      }
      elementsOf.set(known.name, (elementsOf.get(known.name) ?? 0) + elements);
    }
    shapes.set(name, shape);
    parameters += elements;
    end = Math.max(end, last);
  }
  if (end !== room) throw damaged(file.path, `Its tensors take up ${end} bytes and the file holds ${room}.`);
  const [dtype] = [...elementsOf].sort((one, other) => other[1] - one[1])[0] ?? [];
  return { tensors: shapes.size, parameters, dtype, metadata, shapes };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function describe(file: SourceFile, header: SafetensorsHeader): Detected {
  const { metadata, dtype } = header;
  const format = metadata.format;
  return {
    kind: "safetensors",
    confidence: "certain",
    summary: summaryOf(
      "safetensors",
      `${header.tensors} tensors`,
      `${shortCount(header.parameters)} parameters${dtype === undefined ? "" : ` of ${dtype}`}`,
    ),
    library: {
      name: format === "tf" ? "tensorflow" : format === "flax" ? "flax" : "torch",
      version: undefined,
    },
    architecture: undefined,
    task: undefined,
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: [file.path],
    warnings: [
      "The file holds weights only: the class of the network and what it takes have to be written into model.py.",
    ],
    details: detailsOf({
      tensors: header.tensors,
      parameters: header.parameters,
      dtype,
      tensorNames: [...header.shapes].slice(0, 50).map(([name, shape]) => `${name} [${shape.join(", ")}]`),
      metadata: Object.entries(metadata)
        .slice(0, 50)
        .map(([key, value]) => `${key}: ${value.slice(0, 1000)}`),
    }),
  };
}
