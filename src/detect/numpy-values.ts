import {
  itemsOf,
  PickleDict,
  PickleObject,
  PickleTuple,
  type PickleValue,
  RawArray,
} from "./pickle-values.js";

/** NumPy's arrays, scalars and types as they stand in pickles. */

export interface NumpyType {
  /** NumPy's letter: b i u f c U S V O M m. */
  kind: string;
  itemSize: number;
  littleEndian: boolean;
}

/** More values than this are no list of labels or columns. */
const mostValues = 20_000;

/** `numpy.dtype("f8", False, True)` with its state `(3, "<", None, None, None, -1, -1, 0)`. */
export function numpyType(value: PickleValue | undefined): NumpyType | undefined {
  if (typeof value === "string") return parseType(value, undefined);
  if (!(value instanceof PickleObject)) return undefined;
  const path = value.path;
  if (path !== "numpy.dtype" && path !== "numpy._core._internal._convert_to_stringdtype_kwargs")
    return undefined;
  const text = itemsOf(value.args)?.[0];
  const state = itemsOf(value.state);
  const order = state?.[1];
  const stated = state?.[5];
  const type = typeof text === "string" ? parseType(text, order) : undefined;
  if (!type) return undefined;
  // Texts and structures state their size, the others -1
  return typeof stated === "number" && stated > 0 ? { ...type, itemSize: stated } : type;
}

function parseType(text: string, order: PickleValue | undefined): NumpyType | undefined {
  const match = /^([<>|=]?)([biufcUSVOMm?])(\d{0,9})/.exec(text);
  if (!match) return undefined;
  const [, prefix, letter = "", digits = ""] = match;
  const number = digits === "" ? (letter === "O" ? 8 : letter === "?" ? 1 : 0) : Number(digits);
  return {
    kind: letter === "?" ? "b" : letter,
    itemSize: letter === "U" ? 4 * number : letter === "M" || letter === "m" ? 8 : number,
    littleEndian: order !== ">" && prefix !== ">",
  };
}

export interface NumpyArray {
  type: NumpyType;
  shape: readonly number[];
  /** Undefined where the content was left out or is of a type without plain values. */
  values: readonly (string | number | boolean)[] | undefined;
}

/** An array, in any of the ways in which NumPy and joblib write it. */
export function numpyArray(value: PickleValue | undefined): NumpyArray | undefined {
  if (value instanceof RawArray) {
    const type = numpyType(value.dtype);
    if (!type) return undefined;
    if (value.content !== undefined) return numpyArray(value.content);
    return { type, shape: value.shape, values: value.data && decode(value.data, type) };
  }
  if (!(value instanceof PickleObject)) return undefined;
  const path = value.path ?? "";
  if (/^numpy\.(_core|core)\.multiarray\._reconstruct$/.test(path)) {
    const [, shape, dtype, , content] = itemsOf(value.state) ?? [];
    return contentOf(dtype, shape, content);
  }
  if (/^numpy\.(_core|core)\.numeric\._frombuffer$/.test(path)) {
    const [content, dtype, shape] = itemsOf(value.args) ?? [];
    return contentOf(dtype, shape, content);
  }
  return undefined;
}

function contentOf(
  dtype: PickleValue | undefined,
  shape: PickleValue | undefined,
  content: PickleValue | undefined,
): NumpyArray | undefined {
  const type = numpyType(dtype);
  const sizes = shapeOf(shape);
  if (!type || !sizes) return undefined;
  if (type.kind === "O") return { type, shape: sizes, values: plainValues(itemsOf(content)) };
  const bytes = bytesOf(content);
  return { type, shape: sizes, values: bytes && decode(bytes, type) };
}

/** Bytes are a text in Latin-1 for protocols before 3, and a call of `bytearray` or a buffer in others. */
function bytesOf(value: PickleValue | undefined): Buffer | undefined {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string") return Buffer.from(value, "latin1");
  if (!(value instanceof PickleObject)) return undefined;
  const [first] = itemsOf(value.args) ?? [];
  if (value.path === "_codecs.encode")
    return typeof first === "string" ? Buffer.from(first, "latin1") : undefined;
  if (value.path === "builtins.bytearray" || value.path === "builtins.bytes") {
    return Buffer.isBuffer(first) ? first : undefined;
  }
  return undefined;
}

export function shapeOf(value: PickleValue | undefined): number[] | undefined {
  const items = value instanceof PickleTuple ? value.items : undefined;
  const sizes = items?.filter((one) => typeof one === "number" && one >= 0) as number[] | undefined;
  return sizes?.length === items?.length ? sizes : undefined;
}

function plainValues(items: readonly PickleValue[] | undefined): (string | number | boolean)[] | undefined {
  if (!items || items.length > mostValues) return undefined;
  const values = items.map(scalar);
  return values.every((one) => one !== undefined) ? values : undefined;
}

/** A number, a text or a truth value, as Python's or as a scalar of NumPy. */
export function scalar(value: PickleValue | undefined): string | number | boolean | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (!(value instanceof PickleObject)) return undefined;
  if (!/^numpy\.(_core|core)\.multiarray\.scalar$/.test(value.path ?? "")) return undefined;
  const [dtype, content] = itemsOf(value.args) ?? [];
  const type = numpyType(dtype);
  const bytes = bytesOf(content);
  return type && bytes ? decode(bytes, type)?.[0] : undefined;
}

/** Plain values of an array or list, such as names of columns. */
export function listOf(value: PickleValue | undefined): readonly (string | number | boolean)[] | undefined {
  return numpyArray(value)?.values ?? plainValues(itemsOf(value));
}

/** Values of an array's bytes; of numbers, texts and truth values only. */
export function decode(bytes: Buffer, type: NumpyType): (string | number | boolean)[] | undefined {
  const { itemSize, kind, littleEndian } = type;
  if (itemSize <= 0 || bytes.length / itemSize > mostValues) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: (string | number | boolean)[] = [];
  for (let at = 0; at + itemSize <= bytes.length; at += itemSize) {
    const value = decodeOne(view, at, kind, itemSize, littleEndian);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

function decodeOne(
  view: DataView,
  at: number,
  kind: string,
  size: number,
  little: boolean,
): string | number | boolean | undefined {
  switch (`${kind}${size}`) {
    case "b1":
      return view.getUint8(at) !== 0;
    case "i1":
      return view.getInt8(at);
    case "i2":
      return view.getInt16(at, little);
    case "i4":
      return view.getInt32(at, little);
    case "i8":
      return Number(view.getBigInt64(at, little));
    case "u1":
      return view.getUint8(at);
    case "u2":
      return view.getUint16(at, little);
    case "u4":
      return view.getUint32(at, little);
    case "u8":
      return Number(view.getBigUint64(at, little));
    case "f4":
      return view.getFloat32(at, little);
    case "f8":
      return view.getFloat64(at, little);
  }
  if (kind === "S") {
    let text = "";
    for (let index = 0; index < size; index += 1) text += String.fromCharCode(view.getUint8(at + index));
    return trimZeros(text);
  }
  if (kind === "U") {
    let text = "";
    for (let index = 0; index + 4 <= size; index += 4) {
      const point = view.getUint32(at + index, little);
      if (point > 0x10ffff) return undefined;
      text += String.fromCodePoint(point);
    }
    return trimZeros(text);
  }
  return undefined;
}

function trimZeros(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end -= 1;
  return text.slice(0, end);
}

/** Entries of a dict with texts as keys. */
export function entriesOf(value: PickleValue | undefined): [string, PickleValue][] {
  const dict = value instanceof PickleDict ? value : value instanceof PickleObject ? value.dict : undefined;
  return (dict?.pairs ?? []).flatMap(([key, one]) => (typeof key === "string" ? [[key, one]] : []));
}
