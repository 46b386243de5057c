/** The body of a prediction: one row, or many as `{"rows": [...]}`. */
import { refused } from "../errors.js";

export interface Enveloped {
  rows: readonly unknown[];
  many: boolean;
}

/** `envelopeOnly`: the row itself has a field `rows`. Throws ApiError 422. */
export function rowsOf(value: unknown, envelopeOnly: boolean, maxRows: number): Enveloped {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject || !Object.hasOwn(value, "rows")) {
    if (envelopeOnly) throw refused("rows", "a value is needed", "missing");
    return { rows: [value], many: false };
  }
  const { rows } = value as { rows: unknown };
  if (!Array.isArray(rows)) throw refused("rows", "must be a list", "list_type");
  if (rows.length === 0) throw refused("rows", "at least 1 item is needed", "too_short");
  if (rows.length > maxRows) {
    const items = maxRows === 1 ? "1 item is" : `${maxRows} items are`;
    throw refused("rows", `at most ${items} allowed`, "too_long");
  }
  return { rows, many: true };
}
