import type { Description, Inputs } from "../schema/schema.js";
import type { Reply } from "./orders.js";

/** A model that is loaded in its thread. */
export interface Hosted {
  description: Description;
  /** A reply for each part: the rows of one request. */
  predict: (parts: readonly Inputs[]) => Promise<Reply[]>;
  /** The pieces of a stream, as JSON text; a refusal is thrown as such. */
  stream?: (row: unknown) => AsyncGenerator<string>;
}
