import { randomBytes } from "node:crypto";
import { UserError } from "../errors.js";
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

/**
 * The network of RUN steps for Podman, which reads other parameters than Docker's: without any, steps run on the host's
 * network. Throws UserError `engine_unsupported` for networks with a name of their own.
 */
export function podmanNetwork(network: string | undefined): Record<string, unknown> {
  if (network === undefined || network === "host" || network === "default") return {};
  const own = JSON.stringify([{ Name: "network", Host: false, Path: "" }]);
  if (network === "none") return { networkmode: "NetworkDisabled", nsoptions: own };
  if (network === "bridge") return { nsoptions: own };
  throw new UserError("engine_unsupported", `Builds cannot use the network "${network}".`, {
    why: "Podman's builds know the networks host, bridge and none.",
    hint: "Use one of these, or leave it out.",
  });
}

/** The Dockerfile with these labels as its last instruction: only the finished image has them. */
export function withLabels(dockerfile: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${quoted(key)}=${quoted(value)}`);
  return pairs.length === 0 ? dockerfile : `${dockerfile.trimEnd()}\nLABEL ${pairs.join(" ")}\n`;
}

/** For a Dockerfile, where `$` expands and a line end ends the instruction. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"$]/g, "\\$&").replace(/\s*[\r\n]+\s*/g, " ")}"`;
}
