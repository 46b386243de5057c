import { UserError } from "../../errors.js";
import type { RegistryClient } from "../../registry/client.js";
import type { Descriptor } from "../../registry/manifest.js";
import type { Reference } from "../../registry/reference.js";
import { readReferrers } from "../../registry/referrers-index.js";
import { isIndex } from "../export/manifest.js";
import { type RemoteImage, readImage } from "../remote/read.js";
import { type CheckResult, count } from "./check.js";

export interface NamedImages {
  /** Of what the name stands for: an image, or an index of several. */
  subject: Descriptor;
  images: readonly RemoteImage[];
}

/** More platforms than any index has. */
const mostImages = 50;

/** Every image that a name stands for, one a platform; all of it is what its digests say. */
export async function namedImages(client: RegistryClient, reference: Reference): Promise<NamedImages> {
  const { registry, repository } = reference;
  const { body, ...subject } = await client.manifest(reference);
  const digests = imageDigests(body) ?? [subject.digest];
  const images: RemoteImage[] = [];
  for (const digest of digests.slice(0, mostImages)) {
    images.push(await readImage(client, { registry, repository, digest }, "linux/amd64"));
  }
  if (images.length > 0) return { subject, images };
  throw new UserError("registry_failed", `${subject.digest} is an index without images.`);
}

export function describeImages({ subject, images }: NamedImages): CheckResult {
  const platforms = images.flatMap((image) => image.platforms).join(", ");
  const what = images.length > 1 ? `${count(images.length, "image")} (${platforms})` : platforms;
  return { status: "ok", message: `${subject.digest}, ${what}: manifest and configuration are whole` };
}

/** `undefined` for a manifest that is no index. An index's attestations are no images. */
function imageDigests(body: Buffer): string[] | undefined {
  const document = parse(body);
  if (document === undefined || !isIndex(document)) return undefined;
  return readReferrers(body)
    .filter(({ annotations }) => annotations?.["vnd.docker.reference.type"] === undefined)
    .map(({ digest }) => digest);
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
