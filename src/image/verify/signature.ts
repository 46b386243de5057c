import type { KeyObject } from "node:crypto";
import type { RegistryClient } from "../../registry/client.js";
import { hasSignature, readSignatures } from "../attest/signatures.js";
import { type CheckResult, count } from "./check.js";

export async function checkSignature(
  client: RegistryClient,
  repository: string,
  digest: string,
  key: KeyObject | undefined,
): Promise<CheckResult> {
  const signatures = await readSignatures(client, repository, digest);
  const there = count(signatures.length, "signature");
  if (key === undefined) {
    const message = signatures.length === 0 ? "none" : `${there}, not looked at without a key`;
    return {
      status: "skipped",
      message,
      ...(signatures.length > 0 && { hint: "Name the public key with --key." }),
    };
  }
  if (await hasSignature(client, repository, digest, key, signatures)) {
    return { status: "ok", message: "signed with this key" };
  }
  return {
    status: "failed",
    message: signatures.length === 0 ? "the image is not signed" : `${there}, none of them with this key`,
    hint: "Do not use the image, unless you know why; `modelship sign NAME@DIGEST --key FILE` signs one.",
  };
}
