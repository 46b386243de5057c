import { basename } from "node:path";
import { UserError } from "../errors.js";

/**
 * The error of a file that is of a known format and cannot be what it says: cut short, changed, or made to harm.
 * `why` is one sentence about the file.
 */
export function damaged(path: string, why: string, cause?: unknown): UserError {
  return new UserError("model_file", `${basename(path)} is not a whole model file.`, {
    why,
    hint: "Download or save the model again, and give the new file.",
    cause,
  });
}
