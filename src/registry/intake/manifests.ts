import { digestOf, isDigest, type Manifest, manifestTypes } from "../manifest.js";
import { Refusal } from "./answer.js";

/** What registries take at most. */
export const largestManifest = 4 * 1024 * 1024;
const most = 64;

/** The manifests that an engine has pushed, exactly as it wrote them. */
export class Manifests {
  private readonly byDigest = new Map<string, Manifest>();
  private readonly byTag = new Map<string, string>();

  get(reference: string): Manifest | undefined {
    return this.byDigest.get(this.byTag.get(reference) ?? reference);
  }

  /** Takes one in under its digest and, where `reference` is a tag, under that. */
  put(reference: string, contentType: string, body: Buffer): Manifest {
    const digest = digestOf(body);
    const byDigest = isDigest(reference);
    if (byDigest && reference !== digest)
      throw new Refusal(400, "DIGEST_INVALID", "the manifest has another digest");
    const mediaType = contentType.split(";")[0]?.trim() ?? "";
    if (!manifestTypes.some((known) => known === mediaType))
      throw new Refusal(415, "MANIFEST_INVALID", "no kind of manifest that images come with");
    if (this.byDigest.size >= most && !this.byDigest.has(digest))
      throw new Refusal(429, "TOOMANYREQUESTS", "too many manifests for one image");
    const manifest = { digest, mediaType, size: body.length, body };
    this.byDigest.set(digest, manifest);
    if (!byDigest) this.byTag.set(reference, digest);
    return manifest;
  }
}
