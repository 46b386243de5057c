import { explainInstall } from "../docker/install-failure.js";
import { UserError } from "../errors.js";

const excerptLines = 20;

/** The error for an install that did not succeed, in the words of pip and uv where they are understood. */
export function installFailed(step: string, lines: readonly string[], exitCode: number): UserError {
  const known = explainInstall(lines, "here");
  const said = lines.filter((line) => line.trim() !== "").slice(-excerptLines);
  return new UserError("install_failed", `"${step}" failed.`, {
    why: known?.why ?? `It ended with exit code ${exitCode}.`,
    hint: known?.hint,
    excerpt: known?.excerpt ?? said,
  });
}
