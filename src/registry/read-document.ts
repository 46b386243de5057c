import { UserError } from "../errors.js";
import type { RegistryClient } from "./client.js";
import { download, verified } from "./download.js";
import type { Descriptor } from "./manifest.js";

/** A blob that is a document, whole and checked. Throws UserError `registry_failed`, also for one of an odd size. */
export async function readDocument(
  client: RegistryClient,
  repository: string,
  blob: Descriptor,
  limit: number,
): Promise<Buffer> {
  if (blob.size > limit) {
    throw new UserError("registry_failed", `${client.registry}/${repository}@${blob.digest} is too large.`, {
      why: `It should be a document of at most ${limit} bytes, and has ${blob.size}.`,
    });
  }
  const chunks: Buffer[] = [];
  const bytes = verified(download(client, blob, { repository }), blob, client.registry);
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
