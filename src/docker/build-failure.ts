import { UserError } from "../errors.js";
export function explainBuildFailure(step: string, lines: readonly string[], message: string): UserError {
  return new UserError("build_failed", step, { why: message, excerpt: lines.slice(-15) });
}
