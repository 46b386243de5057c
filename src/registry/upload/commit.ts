import { UserError } from "../../errors.js";
import type { Blob } from "../blob.js";
import { isDigest } from "../manifest.js";
import type { Answer } from "../transport.js";
import { type BlobEndpoint, isTaken, type MakeBody, type Session } from "./endpoint.js";
import type { Patience } from "./patience.js";
import { codesOf, refusal, Setback } from "./setback.js";

/**
 * Ends an upload under its digest. A registry may have stored the blob and yet give no answer, or a wrong one: before
 * anything is sent again it is asked for the blob.
 */
export async function commit(
  endpoint: BlobEndpoint,
  session: Session,
  upload: { blob: Blob; digest: string; body?: MakeBody | undefined; patience: Patience },
): Promise<void> {
  const { blob, digest, body, patience } = upload;
  const result = await endpoint.commit(session, digest, body).catch((error: unknown) => {
    if (error instanceof Setback) return error;
    throw error;
  });
  const answer = result instanceof Setback ? result.answer : result;
  if (answer && isTaken(answer) && answer.status !== 202) return checkDigest(endpoint, answer, blob, digest);
  const codes = answer ? codesOf(answer) : [];
  if (answer && codes.includes("DIGEST_INVALID")) throw otherBytes(endpoint, answer, blob);
  const failure = result instanceof Setback ? result : refusal(endpoint.connection, result, endpoint.name);
  if (failure instanceof Setback && failure.answer?.status !== 401) {
    // A large blob may still be on its way from one place of the registry to another.
    const looks = Math.min(6, 1 + Math.ceil(blob.size / 2 ** 28));
    for (let look = 1; look <= looks; look++) {
      if (await endpoint.has(digest)) return;
      if (look < looks) await patience.pause(look);
    }
  }
  throw failure;
}

function checkDigest(endpoint: BlobEndpoint, answer: Answer, blob: Blob, digest: string): void {
  const theirs = answer.headers["docker-content-digest"];
  if (typeof theirs !== "string" || !isDigest(theirs) || theirs === digest) return;
  const { registry } = endpoint.connection;
  throw new UserError("registry_failed", `${registry} keeps other bytes than those of ${blob.title}.`, {
    why: `It says that their digest is ${theirs}, not ${digest}.`,
    hint: "Something between here and the registry, or the registry itself, changes content.",
  });
}

/** The bytes that arrived are not those of the digest. */
export class OtherBytes extends UserError {}

function otherBytes(endpoint: BlobEndpoint, answer: Answer, blob: Blob): OtherBytes {
  const { registry } = endpoint.connection;
  return new OtherBytes(
    "registry_failed",
    `${registry} got other bytes of ${blob.title} than its digest says.`,
    {
      why: "The file changed and kept its time and size, or something between here and the registry changes content.",
      hint: "Push again; if it stays so, tell the registry's administrator.",
      cause: refusal(endpoint.connection, answer, endpoint.name),
    },
  );
}
