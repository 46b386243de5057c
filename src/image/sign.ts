import { RegistryClient } from "../registry/client.js";
import { formatReference, parseReference } from "../registry/reference.js";
import type { Reporter } from "../reporter.js";
import { type KeyOptions, readSigningKey } from "./attest/key.js";
import { putSignature } from "./attest/signatures.js";

export interface SignOptions extends KeyOptions {
  /** `registry.example/you/digits@sha256:...`; a tag is signed as what it names now. */
  reference: string;
  /** Path of the private key. */
  key: string;
  insecure?: boolean | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface SignResult {
  /** By its digest. */
  reference: string;
  digest: string;
  /** Where the signature is. */
  signature: string;
  /** False: a signature with this key was there. */
  sent: boolean;
}

/** Vouches for an image in a registry with a key, in the way of cosign. Throws UserError. */
export async function signImage(options: SignOptions): Promise<SignResult> {
  const { env, insecure, signal, report } = options;
  const reference = parseReference(options.reference);
  const key = await readSigningKey(options.key, options);
  const { registry, repository } = reference;
  const client = new RegistryClient(registry, { env, insecure, signal });
  try {
    const { digest } = await client.manifest(reference);
    const named = formatReference({ registry, repository, digest });
    if (reference.digest === undefined) {
      report({ type: "note", message: `${formatReference(reference)} is now ${digest}; that is signed.` });
    }
    const { tag, sent } = await putSignature(client, repository, digest, key, { signal });
    return { reference: named, digest, signature: formatReference({ registry, repository, tag }), sent };
  } finally {
    client.close();
  }
}
