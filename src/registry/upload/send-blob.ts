import type { Blob } from "../blob.js";
import type { RegistryClient } from "../client.js";
import { BlobUpload, type SendOptions, type SentBlob } from "./blob-upload.js";
import { inMemory, isSmall } from "./small-blob.js";
import { UploadsFolder } from "./uploads-folder.js";

export type { SendOptions, SentBlob } from "./blob-upload.js";

/**
 * Brings a blob into a repository: not at all where it is there, by a mount where another repository of the registry
 * has it, else by sending it, going on where an earlier attempt broke off. What comes out has the digest it should.
 */
export async function sendBlob(client: RegistryClient, blob: Blob, options: SendOptions): Promise<SentBlob> {
  if (isSmall(blob)) return new BlobUpload(client, await inMemory(blob), options).run();
  const env = client.connection.options.env ?? process.env;
  const { registry } = client;
  const key = { registry, repository: options.repository, identity: blob.identity };
  const claim = await new UploadsFolder(env).claim(key);
  return new BlobUpload(client, blob, options, claim).run();
}
