import { UserError } from "../errors.js";
import type { RegistryClient } from "./client.js";
import { answerError } from "./errors.js";
import { type Descriptor, digestOf, isDigest, manifestTypes } from "./manifest.js";
import { mergeReferrer, type Referrer, readReferrers } from "./referrers-index.js";
import type { Answer } from "./transport.js";

const [manifestType, indexType] = manifestTypes;

/** What every artifact without a configuration of its own names as one. */
export const emptyObject = { mediaType: "application/vnd.oci.empty.v1+json", bytes: Buffer.from("{}") };

/** An artifact manifest that says what it is about. Its blobs must be in the repository before it is put. */
export interface ArtifactManifest {
  artifactType: string;
  config: Descriptor;
  layers: readonly (Descriptor & { annotations?: Readonly<Record<string, string>> })[];
  subject: Descriptor;
  annotations?: Readonly<Record<string, string>>;
}

const mostPages = 20;
/** Writers of the fallback index cannot lock it: each looks whether its entry has stayed. */
const mostWrites = 3;

/** The bytes of an artifact manifest: the same artifact gives the same digest. */
export function artifactBody(artifact: ArtifactManifest): Buffer {
  const { artifactType, config, layers, subject, annotations } = artifact;
  const document = { schemaVersion: 2, mediaType: manifestType, artifactType, config, layers, subject };
  return Buffer.from(JSON.stringify({ ...document, ...(annotations && { annotations }) }));
}

/**
 * Puts an artifact beside its subject and has it listed there: by the registry where it knows referrers, else in the
 * index that the protocol names for the others.
 */
export async function putReferrer(
  client: RegistryClient,
  repository: string,
  artifact: ArtifactManifest,
): Promise<Descriptor> {
  const body = artifactBody(artifact);
  const digest = digestOf(body);
  const name = `${client.registry}/${repository}@${digest}`;
  const answer = await client.request({
    method: "PUT",
    path: `/v2/${repository}/manifests/${digest}`,
    scopes: [`repository:${repository}:pull,push`],
    headers: { "content-type": manifestType },
    body,
    repeatable: true,
    name,
  });
  if (![200, 201, 202].includes(answer.status)) {
    throw answerError(client.connection.subject(name), answer);
  }
  const descriptor = { mediaType: manifestType, digest, size: body.length };
  if (answer.headers["oci-subject"] === undefined) {
    const { artifactType, annotations, subject } = artifact;
    const entry = { ...descriptor, artifactType, ...(annotations && { annotations }) };
    await addToFallback(client, repository, subject.digest, entry);
  }
  return descriptor;
}

/** What refers to a digest, in the registry's order; of one type where one is given. */
export async function listReferrers(
  client: RegistryClient,
  repository: string,
  digest: string,
  artifactType?: string,
): Promise<Referrer[]> {
  const found =
    (await fromRegistry(client, repository, digest)) ??
    readReferrers((await readFallback(client, repository, digest))?.body);
  const known = new Map(found.map((referrer) => [referrer.digest, referrer]));
  return [...known.values()].filter((one) => artifactType === undefined || one.artifactType === artifactType);
}

/** `undefined` where the registry does not list referrers itself. */
async function fromRegistry(
  client: RegistryClient,
  repository: string,
  digest: string,
): Promise<Referrer[] | undefined> {
  const found: Referrer[] = [];
  let path: string | undefined = `/v2/${repository}/referrers/${digest}`;
  for (let page = 0; path !== undefined && page < mostPages; page++) {
    const answer: Answer = await client.request({
      method: "GET",
      path,
      scopes: [`repository:${repository}:pull`],
      headers: { accept: indexType },
      name: `${client.registry}/${repository}@${digest}`,
    });
    const type = answer.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
    const unknown =
      [400, 404, 405, 501].includes(answer.status) || (answer.status === 200 && type !== indexType);
    if (page === 0 && unknown) return undefined;
    if (answer.status !== 200) {
      throw answerError(client.connection.subject(`${client.registry}/${repository}@${digest}`), answer);
    }
    found.push(...readReferrers(answer.body));
    path = nextPage(answer, `/v2/${repository}/referrers/`);
  }
  return found;
}

/** The address of the next page, as long as it is one of the same list. */
function nextPage(answer: Answer, within: string): string | undefined {
  const link = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(String(answer.headers.link ?? ""))?.[1];
  if (link === undefined || !URL.canParse(link, answer.url.href)) return undefined;
  const next = new URL(link, answer.url);
  if (next.origin !== answer.url.origin || !next.pathname.startsWith(within)) return undefined;
  return `${next.pathname}${next.search}`;
}

async function addToFallback(
  client: RegistryClient,
  repository: string,
  subject: string,
  entry: Referrer,
): Promise<void> {
  for (let writes = 0; ; writes++) {
    const index = await readFallback(client, repository, subject);
    if (readReferrers(index?.body).some(({ digest }) => digest === entry.digest)) return;
    if (writes === mostWrites) break;
    const tag = fallbackTag(subject);
    await client.putManifest({ repository, tag }, indexType, mergeReferrer(index?.body, entry));
  }
  throw new UserError("registry_failed", `${client.registry} does not keep what refers to ${subject}.`, {
    why: "Others write the same list at the same time, or the registry takes it and forgets it.",
    hint: "Try again.",
  });
}

async function readFallback(client: RegistryClient, repository: string, subject: string) {
  const tag = fallbackTag(subject);
  const known = await client.describe({ repository, tag });
  if (!known) return undefined;
  if (known.mediaType !== indexType) {
    throw new UserError("registry_failed", `The tag ${tag} of ${repository} is no index.`, {
      why: `It is ${known.mediaType}; the protocol keeps the list of what refers to an image there.`,
      hint: "Remove that tag.",
    });
  }
  return client.manifest({ repository, digest: known.digest });
}

/** `sha256-<hex>`, cut to what a tag may be. */
function fallbackTag(digest: string): string {
  const [algorithm = "", hex = ""] = isDigest(digest) ? digest.split(":") : [];
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`;
}
