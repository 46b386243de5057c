/** The project's example request: it is shown in documents, and asked once before the service is ready. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ApiError } from "../errors.js";
import { parseJson } from "../http/body.js";
import type { Decoded, Schema } from "../schema/schema.js";

export const exampleFile = "examples/request.json";
const shownBytes = 64 * 1024;
const maxBytes = 16 * 1024 * 1024;

/** As JSON, which a large one is not shown as, and as inputs; or why it cannot be used. */
export interface Example {
  shown: unknown;
  decoded?: Decoded;
  problem?: string;
}

/** An empty one when there is none. */
export function readExample(project: string, schema: Schema): Example {
  const path = join(project, exampleFile);
  try {
    const status = statSync(path, { throwIfNoEntry: false });
    if (!status?.isFile() || status.size > maxBytes) return { shown: null };
    const text = readFileSync(path);
    const decoded = schema.decode(text);
    return { shown: text.length <= shownBytes ? parseJson(text) : null, decoded };
  } catch (error) {
    return { shown: null, problem: error instanceof ApiError ? error.message : String(error) };
  }
}
