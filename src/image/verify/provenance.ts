import type { KeyObject } from "node:crypto";
import type { RegistryClient } from "../../registry/client.js";
import { readDocument } from "../../registry/read-document.js";
import { listReferrers } from "../../registry/referrers.js";
import { envelopeType, openEnvelope } from "../attest/dsse.js";
import { type ReadProvenance, readProvenance, statementType } from "../attest/provenance.js";
import { readLayers } from "../attest/signatures.js";
import type { CheckResult } from "./check.js";

/** What is said of how an image was built, and whether the key at hand vouches for it. */
export interface FoundProvenance {
  statement: ReadProvenance;
  signed: boolean;
}

const largestStatement = 16 * 1024 * 1024;
/** Anybody who may push may attach; no more than these are read. */
const mostStatements = 20;

/** The statement about a digest that counts: one that the key vouches for before any other. */
export async function findProvenance(
  client: RegistryClient,
  repository: string,
  digest: string,
  key: KeyObject | undefined,
): Promise<FoundProvenance | undefined> {
  const referrers = await listReferrers(client, repository, digest, statementType);
  const found: FoundProvenance[] = [];
  for (const referrer of referrers.slice(-mostStatements)) {
    const { body } = await client.manifest({ repository, digest: referrer.digest });
    const [layer] = readLayers(body);
    if (!layer) continue;
    const document = await readDocument(client, repository, layer, largestStatement);
    const envelope = layer.mediaType === envelopeType ? openEnvelope(document, statementType) : undefined;
    const statement = readProvenance(envelope?.payload ?? document);
    if (!statement?.subjects.includes(digest)) continue;
    found.push({ statement, signed: key !== undefined && envelope?.isSignedBy(key) === true });
  }
  return found.findLast(({ signed }) => signed) ?? found.at(-1);
}

export function describeProvenance(
  found: FoundProvenance | undefined,
  keyGiven: boolean,
  needed: boolean,
): CheckResult {
  if (!found) {
    return {
      status: needed ? "failed" : "skipped",
      message: "nothing is attached that says what the image was built from",
      ...(needed && { hint: "Push the project without --no-attest; --image-only looks at the image alone." }),
    };
  }
  const { name, version, modelship } = found.statement;
  const message = `${name ?? "?"} ${version ?? "?"}, built with modelship ${modelship ?? "?"}`;
  if (found.signed) return { status: "ok", message: `${message}; signed with this key` };
  if (keyGiven) {
    return {
      status: "warning",
      message: `${message}; not signed with this key`,
      hint: "Whoever may push to this repository may have written it.",
    };
  }
  return { status: "ok", message };
}
