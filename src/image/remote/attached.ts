import type { RegistryClient } from "../../registry/client.js";
import { listReferrers } from "../../registry/referrers.js";
import { readSignatures, signatureTag } from "../attest/signatures.js";

/** Something about an image that lies beside it in its repository. */
export interface Attached {
  kind: "signature" | "sbom" | "provenance" | "other";
  /** As the registry has it. */
  type: string;
  /** `sha256:<hex>`, or the tag of signatures that lie under one. */
  at: string;
}

const kinds: readonly (readonly [RegExp, Attached["kind"]])[] = [
  [/spdx|cyclonedx|sbom/i, "sbom"],
  [/in-toto|slsa|provenance|attest/i, "provenance"],
  [/sigstore|cosign|signature|notary/i, "signature"],
];

/** What is attached to some digests: what the registry lists, and signatures where cosign puts them. */
export async function attachedTo(
  client: RegistryClient,
  repository: string,
  digests: readonly string[],
): Promise<Attached[]> {
  const found: Attached[] = [];
  for (const digest of new Set(digests)) {
    for (const { artifactType, mediaType, digest: at } of await listReferrers(client, repository, digest)) {
      const type = artifactType ?? mediaType;
      const [, kind = "other"] = kinds.find(([pattern]) => pattern.test(type)) ?? [];
      found.push({ kind, type, at });
    }
    for (const _signature of await readSignatures(client, repository, digest)) {
      found.push({ kind: "signature", type: "cosign", at: signatureTag(digest) });
    }
  }
  return found;
}
