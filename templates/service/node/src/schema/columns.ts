/** How the fields of a row show as tensors: read from their JSON Schema. */
import type { JsonSchema } from "./schema.js";
import type { TensorSpec } from "./tensor.js";

/** A field over all rows, or with `whole` all of each row, where a row is no object. */
export interface Column {
  name: string;
  datatype: string;
  lengths: number[];
  /** It is no tensor, so that BYTES hold its JSON. */
  json: boolean;
  needed: boolean;
  whole: boolean;
}

const scalars: Readonly<Record<string, string>> = {
  boolean: "BOOL",
  integer: "INT64",
  number: "FP64",
  string: "BYTES",
};

export function columnsOf(schema: JsonSchema): Column[] {
  const row = resolved(schema, schema);
  if (row.type !== "object" || !isObject(row.properties))
    return [{ ...column("row", row, schema, true), whole: true }];
  const needed = Array.isArray(row.required) ? row.required : [];
  return Object.entries(row.properties).map(([name, field]) =>
    column(name, field as JsonSchema, schema, needed.includes(name)),
  );
}

export function specOf({ name, datatype, lengths }: Column): TensorSpec {
  return { name, datatype, shape: [-1, ...lengths] };
}

function column(name: string, field: JsonSchema, root: JsonSchema, needed: boolean): Column {
  const lengths: number[] = [];
  let item = resolved(field, root);
  while (item.type === "array" && !("prefixItems" in item)) {
    const { minItems, maxItems } = item;
    lengths.push(typeof minItems === "number" && minItems === maxItems ? minItems : -1);
    item = resolved(isObject(item.items) ? item.items : {}, root);
  }
  const datatype = scalarOf(item);
  if (datatype === undefined)
    return { name, datatype: "BYTES", lengths: [], json: true, needed, whole: false };
  return { name, datatype, lengths, json: false, needed, whole: false };
}

function scalarOf(item: JsonSchema): string | undefined {
  const values = Array.isArray(item.enum) ? item.enum : "const" in item ? [item.const] : undefined;
  if (!values) return typeof item.type === "string" ? scalars[item.type] : undefined;
  if (values.every((value) => typeof value === "string")) return "BYTES";
  return values.every((value) => Number.isInteger(value)) ? "INT64" : undefined;
}

/** What a reference refers to, within the same document. */
function resolved(schema: JsonSchema, root: JsonSchema, depth = 0): JsonSchema {
  const { $ref, allOf } = schema;
  if (Array.isArray(allOf) && allOf.length === 1 && isObject(allOf[0]) && depth < 16)
    return resolved(allOf[0], root, depth + 1);
  const name = typeof $ref === "string" ? /^#\/(\$defs|definitions)\/([^/]+)$/.exec($ref) : null;
  const found =
    name && isObject(root[name[1] as string]) && (root[name[1] as string] as JsonSchema)[name[2] as string];
  return isObject(found) && depth < 16 ? resolved(found, root, depth + 1) : schema;
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
