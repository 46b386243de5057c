/** Nested lists of JSON, checked while they become a tensor: types, lengths and ranges. */
import { refused } from "../errors.js";
import { type Numbers, numericOf, sizeOf, type Tensor, toHalf } from "./tensor.js";

type Scalar = number | bigint | string;

/** `place` names a value by its indices, for errors. `lengths` are those of each level, -1 where one is free. */
export function tensorOf(
  values: unknown,
  datatype: string,
  lengths: readonly number[],
  place: (indices: readonly number[]) => string,
): Tensor {
  const shape: number[] = [];
  const found: Scalar[] = [];
  const read = scalarReader(datatype);
  const walk = (value: unknown, level: number, indices: readonly number[]): void => {
    if (level === lengths.length) {
      found.push(read(value, () => place(indices)));
      return;
    }
    if (!Array.isArray(value)) throw refused(place(indices), "must be a list", "list_type");
    checkLength(value.length, lengths[level] as number, shape[level], () => place(indices));
    shape[level] = value.length;
    value.forEach((item, index) => {
      walk(item, level + 1, [...indices, index]);
    });
  };
  walk(values, 0, []);
  // Lists that end early because one is empty say nothing of the lengths below.
  for (let level = 0; level < lengths.length; level += 1)
    shape[level] ??= Math.max(0, lengths[level] as number);
  return { datatype, shape, data: packed(found, datatype, sizeOf(shape)) };
}

function checkLength(length: number, wanted: number, before: number | undefined, place: () => string): void {
  const items = (count: number) => `${count} ${count === 1 ? "item is" : "items are"}`;
  if (wanted >= 0 && length < wanted) throw refused(place(), `at least ${items(wanted)} needed`, "too_short");
  if (wanted >= 0 && length > wanted) throw refused(place(), `at most ${items(wanted)} allowed`, "too_long");
  if (before !== undefined && before !== length)
    throw refused(place(), `must have ${before} items, as the lists before it have`, "ragged");
}

function packed(values: Scalar[], datatype: string, size: number): Numbers | string[] {
  const kind = numericOf(datatype);
  if (!kind) return values as string[];
  const data = new kind.array(size);
  data.set((datatype === "FP16" ? values.map((one) => toHalf(one as number)) : values) as never);
  return data;
}

function scalarReader(datatype: string): (value: unknown, place: () => string) => Scalar {
  const kind = numericOf(datatype);
  if (!kind) {
    return (value, place) => {
      if (typeof value !== "string") throw refused(place(), "must be a string", "string_type");
      return value;
    };
  }
  if (kind.kind === "bool") {
    return (value, place) => {
      if (typeof value !== "boolean") throw refused(place(), "must be true or false", "bool_type");
      return value ? 1 : 0;
    };
  }
  const { low, high } = kind;
  const bounded = (value: number, fits: boolean, place: () => string) => {
    if (fits) return;
    const rule = value < 0 ? `must be ${low} or more` : `must be ${high} or less`;
    throw refused(place(), rule, value < 0 ? "greater_than_equal" : "less_than_equal");
  };
  if (kind.kind === "float") {
    const narrow =
      datatype === "FP32" ? Math.fround : datatype === "FP16" ? halved : (value: number) => value;
    return (value, place) => {
      if (typeof value !== "number") throw refused(place(), "must be a number", "float_type");
      if (!Number.isFinite(value)) throw refused(place(), "must be a finite number", "finite_number");
      bounded(value, Number.isFinite(narrow(value)), place);
      return value;
    };
  }
  return (value, place) => {
    if (typeof value !== "number" || !Number.isInteger(value))
      throw refused(place(), "must be a whole number", "int_type");
    bounded(value, value >= low && value <= high, place);
    if (kind.kind === "int") return value;
    // The parser has rounded what has more digits: another number than the one that was sent would be worse than none.
    if (!Number.isSafeInteger(value))
      throw refused(
        place(),
        "has more digits than JSON keeps here: send it as a binary tensor",
        "int_parsing_size",
      );
    return BigInt(value);
  };
}

function halved(value: number): number {
  return Math.abs(value) >= 65_520 ? Number.POSITIVE_INFINITY : value;
}
