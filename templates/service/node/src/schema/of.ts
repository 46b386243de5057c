import { ArraySchema } from "./arrays.js";
import { RowSchema } from "./rows.js";
import type { Description, Schema } from "./schema.js";

/** The schema that the HTTP side works with, of what the model's thread says. */
export function schemaOf(description: Description, maxRows: number): Schema {
  return description.kind === "rows"
    ? new RowSchema(description, maxRows)
    : new ArraySchema(description, maxRows);
}
