import { randomBytes } from "node:crypto";
import type { BuildSecret } from "./buildkit/session.js";
import type { ContextFile } from "./context-file.js";

/**
 * Secrets for Podman, which has no session: they travel in the tar, and Podman moves the files that `secrets` names
 * out of the context before the first step sees it.
 */
export async function secretFiles(
  secrets: readonly BuildSecret[],
): Promise<{ files: ContextFile[]; options: string[] }> {
  const files: ContextFile[] = [];
  const options: string[] = [];
  for (const secret of secrets) {
    const bytes = await secret.read();
    const path = `.modelship-secret-${randomBytes(8).toString("hex")}`;
    files.push({ path, mode: 0o644, size: bytes.length, source: { bytes } });
    options.push(`id=${secret.id},src=${path}`);
  }
  return { files, options };
}
