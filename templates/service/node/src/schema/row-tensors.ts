/** Between rows and tensors: what the rows of a model look like to a client that speaks tensors. */
import { refused } from "../errors.js";
import { type Column, specOf } from "./columns.js";
import { tensorOf } from "./nested.js";
import { OutputError } from "./schema.js";
import { fromHalf, numericOf, sizeOf, type Tensor, type Tensors } from "./tensor.js";

/** Rows as JSON would have them, not validated yet. Throws ApiError, which names the tensor. */
export function rowsOfTensors(tensors: Tensors, columns: readonly Column[], maxRows: number): unknown[] {
  const names = new Set(columns.map(({ name }) => name));
  if (Object.keys(tensors).some((name) => !names.has(name)))
    throw refused("*", "an input that the model does not take", "extra_forbidden");
  const found: { column: Column; tensor: Tensor }[] = [];
  for (const column of columns) {
    const tensor = tensors[column.name];
    if (tensor) found.push({ column, tensor: checked(column, tensor) });
    else if (column.needed) throw refused(column.name, "a value is needed", "missing");
  }
  const first = found[0];
  if (!first) throw refused(columns[0]?.name ?? "inputs", "a tensor is needed to know the rows", "missing");
  const rows = first.tensor.shape[0] ?? 0;
  if (rows < 1 || rows > maxRows) throw refused(first.column.name, `must have 1 to ${maxRows} rows`, "rows");
  for (const { column, tensor } of found)
    if (tensor.shape[0] !== rows)
      throw refused(column.name, `must have ${rows} rows, as ${first.column.name} has`, "shape");
  const values = found.map(({ column, tensor }) => ({ name: column.name, values: listed(column, tensor) }));
  if (columns[0]?.whole) return values[0]?.values ?? [];
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(values.map((column) => [column.name, column.values[row]])),
  );
}

/** Tensors of rows as JSON text. Throws OutputError where they do not fit into one. */
export function tensorsOfRows(texts: readonly string[], columns: readonly Column[]): Tensors {
  const rows = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  const tensors: Tensors = {};
  for (const column of columns) {
    const values = rows.map((row) => (column.whole ? row : row[column.name]));
    tensors[column.name] = column.json
      ? { datatype: "BYTES", shape: [values.length], data: values.map((one) => JSON.stringify(one ?? null)) }
      : tensorOfColumn(column, values);
  }
  return tensors;
}

function tensorOfColumn(column: Column, values: unknown[]): Tensor {
  const place = ([row, ...places]: readonly number[]) =>
    `rows[${row ?? 0}].${column.name}${places.map((one) => `[${one}]`).join("")}`;
  try {
    return tensorOf(values, column.datatype, [values.length, ...column.lengths], place);
  } catch (problem) {
    throw new OutputError(`predict returned what no tensor can hold: ${(problem as Error).message}`);
  }
}

const accepted: Readonly<Record<string, (datatype: string) => boolean>> = {
  BOOL: (datatype) => datatype === "BOOL",
  INT64: (datatype) => ["int", "bigint"].includes(numericOf(datatype)?.kind ?? ""),
  FP64: (datatype) => ["int", "bigint", "float"].includes(numericOf(datatype)?.kind ?? ""),
  BYTES: (datatype) => datatype === "BYTES",
};

function checked(column: Column, tensor: Tensor): Tensor {
  const { name, datatype } = column;
  if (!accepted[datatype]?.(tensor.datatype)) throw refused(name, `must be ${datatype}`, "datatype");
  const wanted = specOf(column).shape;
  const fits = tensor.shape.length === wanted.length;
  if (!fits || wanted.some((length, level) => length >= 0 && length !== tensor.shape[level]))
    throw refused(name, `must have the shape [${wanted.join(", ")}]`, "shape");
  return tensor;
}

/** One value a row: nested lists, or what its JSON says. */
function listed(column: Column, tensor: Tensor): unknown[] {
  const [rows = 0, ...lengths] = tensor.shape;
  const size = sizeOf(lengths);
  const values = Array.from(tensor.data as ArrayLike<unknown>, (one) => plain(column, tensor.datatype, one));
  return Array.from({ length: rows }, (_, row) => {
    if (column.json) return parsed(`rows[${row}].${column.name}`, values[row] as string);
    return nest(values.slice(row * size, (row + 1) * size), lengths);
  });
}

function nest(values: unknown[], [length, ...rest]: readonly number[]): unknown {
  if (length === undefined) return values[0];
  const size = sizeOf(rest);
  return Array.from({ length }, (_, index) => nest(values.slice(index * size, (index + 1) * size), rest));
}

function plain(column: Column, datatype: string, value: unknown): unknown {
  if (datatype === "BOOL") return value !== 0;
  if (datatype === "FP16") return fromHalf(value as number);
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw refused(column.name, "a number has more digits than a row of JSON keeps here", "datatype");
  return number;
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused(path, "must be JSON", "json_invalid");
  }
}
