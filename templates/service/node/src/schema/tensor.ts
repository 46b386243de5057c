/** Tensors, and the datatypes that the Open Inference Protocol names. */

export type Numbers =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Row-major. Bits of FP16 are in a Uint16Array, BOOL is 0 or 1 in a Uint8Array, BYTES are strings. */
export interface Tensor {
  datatype: string;
  shape: number[];
  data: Numbers | string[];
}

export type Tensors = Record<string, Tensor>;

/** `shape` begins with the batch; -1 where a length is free. */
export interface TensorSpec {
  name: string;
  datatype: string;
  shape: number[];
}

interface Datatype {
  array: new (source: ArrayBuffer | number) => Numbers;
  size: number;
  /** As onnxruntime names it. */
  onnx: string;
  /** Of whole numbers, and the greatest of others. */
  low: number | bigint;
  high: number | bigint;
  kind: "bool" | "int" | "bigint" | "float";
}

const int = (array: Datatype["array"], size: number, onnx: string, low: number, high: number): Datatype => ({
  ...{ array, size, onnx, low, high },
  kind: "int",
});
const float = (array: Datatype["array"], size: number, onnx: string, high: number): Datatype => ({
  ...{ array, size, onnx, low: -high, high },
  kind: "float",
});

const numeric: Readonly<Record<string, Datatype>> = {
  BOOL: { array: Uint8Array, size: 1, onnx: "bool", low: 0, high: 1, kind: "bool" },
  UINT8: int(Uint8Array, 1, "uint8", 0, 255),
  UINT16: int(Uint16Array, 2, "uint16", 0, 65_535),
  UINT32: int(Uint32Array, 4, "uint32", 0, 4_294_967_295),
  INT8: int(Int8Array, 1, "int8", -128, 127),
  INT16: int(Int16Array, 2, "int16", -32_768, 32_767),
  INT32: int(Int32Array, 4, "int32", -2_147_483_648, 2_147_483_647),
  INT64: {
    array: BigInt64Array,
    size: 8,
    onnx: "int64",
    low: -(2n ** 63n),
    high: 2n ** 63n - 1n,
    kind: "bigint",
  },
  UINT64: { array: BigUint64Array, size: 8, onnx: "uint64", low: 0n, high: 2n ** 64n - 1n, kind: "bigint" },
  FP16: float(Uint16Array, 2, "float16", 65_504),
  FP32: float(Float32Array, 4, "float32", 3.4028234663852886e38),
  FP64: float(Float64Array, 8, "float64", Number.MAX_VALUE),
};

export const datatypes: readonly string[] = [...Object.keys(numeric), "BYTES"].sort();

/** undefined for BYTES, whose values are strings. */
export function numericOf(datatype: string): Datatype | undefined {
  return Object.hasOwn(numeric, datatype) ? numeric[datatype] : undefined;
}

export function onnxTypeOf(datatype: string): string {
  return numericOf(datatype)?.onnx ?? "string";
}

export function datatypeOfOnnx(type: string): string | undefined {
  if (type === "string") return "BYTES";
  return Object.keys(numeric).find((name) => numeric[name]?.onnx === type);
}

/** How many values a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Rows `start` to `stop`, as a tensor of their own: what goes to another thread takes its whole memory along. */
export function slice(tensor: Tensor, start: number, stop: number): Tensor {
  const [, ...rest] = tensor.shape;
  const size = sizeOf(rest);
  return {
    datatype: tensor.datatype,
    shape: [stop - start, ...rest],
    data: tensor.data.slice(start * size, stop * size),
  };
}

/** All but the first length are alike; otherwise undefined. */
export function concat(parts: readonly Tensor[]): Tensor | undefined {
  const first = parts[0] as Tensor;
  if (parts.length === 1) return first;
  const rest = first.shape.slice(1);
  if (parts.some(({ shape }) => shape.slice(1).join() !== rest.join())) return undefined;
  const shape = [parts.reduce((rows, part) => rows + (part.shape[0] ?? 0), 0), ...rest];
  const { datatype } = first;
  const kind = numericOf(datatype);
  if (!kind) return { datatype, shape, data: parts.flatMap(({ data }) => data as string[]) };
  const data = new kind.array(sizeOf(shape));
  let at = 0;
  for (const part of parts) {
    data.set(part.data as never, at);
    at += part.data.length;
  }
  return { datatype, shape, data };
}

/** What a value of the tensor is in JSON; its text, as a whole number may have more digits than JSON.parse keeps. */
export function textOf({ datatype, data }: Tensor, index: number): string {
  const value = data[index] as number | bigint | string;
  if (datatype === "BOOL") return value === 0 ? "false" : "true";
  if (datatype === "BYTES") return JSON.stringify(value);
  return datatype === "FP16" ? String(fromHalf(value as number)) : String(value);
}

/** Where the first number stands that is not finite; undefined when there is none. */
export function firstNotFinite({ datatype, data }: Tensor): number | undefined {
  if (numericOf(datatype)?.kind !== "float") return undefined;
  const half = datatype === "FP16";
  for (let index = 0; index < data.length; index += 1) {
    const value = data[index] as number;
    if (half ? (value & 0x7c00) === 0x7c00 : !Number.isFinite(value)) return index;
  }
  return undefined;
}

export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounded to the nearest half, to even between two; beyond the greatest it is infinite. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | toEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  // A fraction that rounds up to 1 carries into the exponent, as the bits stand.
  return sign | (((exponent + 15) << 10) + toEven((size / 2 ** exponent - 1) * 1024));
}

function toEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
