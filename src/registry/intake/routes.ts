import type { IncomingMessage, ServerResponse } from "node:http";
import { answer, Refusal } from "./answer.js";
import { largestManifest, type Manifests } from "./manifests.js";
import { isSpoolDigest, type Spool } from "./spool.js";
import type { Uploads } from "./uploads.js";

export interface RouteOptions {
  spool: Spool;
  /**
   * Bytes of a blob that the engine need not send; `mediaType` is what the engine says that it is, where it does.
   * Asked before the spool.
   */
  has: (digest: string, mediaType: string | undefined) => Promise<number | undefined>;
  /** A blob that `has` did not know lies in the spool. Called once for each. */
  onBlob?: (digest: string) => void;
}

/** The only repository that there is. */
export const repository = "modelship/code";
const base = `/v2/${repository}`;

/** What engines ask of a registry when they push, and no more. */
export class Routes {
  private readonly options: RouteOptions;
  private readonly manifests: Manifests;
  private readonly uploads: Uploads;
  private readonly told = new Set<string>();

  constructor(options: RouteOptions, manifests: Manifests, uploads: Uploads) {
    this.options = options;
    this.manifests = manifests;
    this.uploads = uploads;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, digest } = split(request.url ?? "");
    if (/^\/v2\/?$/.test(path)) return answer(response, 200, { "content-type": "application/json" }, "{}");
    const [, kind, name = ""] =
      /^\/(blobs\/uploads|blobs|manifests)\/([\w.:-]{0,200})$/.exec(
        path.startsWith(base) ? path.slice(base.length) : "",
      ) ?? [];
    switch (`${request.method} ${kind}`) {
      case "HEAD blobs":
        return this.blob(name, request, response);
      case "POST blobs/uploads": // a mount as well: registries that cannot do it begin an upload
        return accepted(response, await this.uploads.begin(), 0);
      case "PATCH blobs/uploads":
        return accepted(response, name, await this.uploads.append(name, request));
      case "PUT blobs/uploads":
        return this.commit(name, digest, request, response);
      case "DELETE blobs/uploads":
        await this.uploads.cancel(name);
        return answer(response, 204);
      case "PUT manifests":
        return this.takeManifest(name, request, response);
      case "HEAD manifests":
      case "GET manifests":
        return this.giveManifest(name, response);
      default:
        throw new Refusal(404, "UNSUPPORTED", "not here");
    }
  }

  private async blob(digest: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const mediaType = request.headers.accept?.split(",")[0]?.trim();
    const elsewhere = isSpoolDigest(digest) ? await this.options.has(digest, mediaType) : undefined;
    const size = elsewhere ?? (await this.options.spool.find(digest))?.size;
    if (size === undefined) throw new Refusal(404, "BLOB_UNKNOWN", "no such blob");
    if (elsewhere === undefined) this.tell(digest);
    answer(response, 200, {
      "content-type": "application/octet-stream",
      "content-length": String(size),
      "docker-content-digest": digest,
    });
  }

  private async commit(
    id: string,
    digest: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (!isSpoolDigest(digest))
      throw new Refusal(400, "DIGEST_INVALID", "a blob is committed by its SHA-256");
    await this.uploads.commit(id, digest, request);
    this.tell(digest);
    answer(response, 201, { location: `${base}/blobs/${digest}`, "docker-content-digest": digest });
  }

  private tell(digest: string): void {
    if (this.told.has(digest)) return;
    this.told.add(digest);
    this.options.onBlob?.(digest);
  }

  private async takeManifest(
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await smallBody(request);
    const { digest } = this.manifests.put(name, request.headers["content-type"] ?? "", body);
    answer(response, 201, { location: `${base}/manifests/${digest}`, "docker-content-digest": digest });
  }

  private giveManifest(name: string, response: ServerResponse): void {
    const manifest = this.manifests.get(name);
    if (manifest === undefined) throw new Refusal(404, "MANIFEST_UNKNOWN", "no such manifest");
    const { body, digest, mediaType } = manifest;
    answer(response, 200, { "content-type": mediaType, "docker-content-digest": digest }, body);
  }
}

function split(target: string): { path: string; digest: string } {
  if (!URL.canParse(target, "http://intake")) throw new Refusal(400, "UNSUPPORTED", "no such address");
  const { pathname, searchParams } = new URL(target, "http://intake");
  return { path: pathname, digest: searchParams.get("digest") ?? "" };
}

function accepted(response: ServerResponse, id: string, size: number): void {
  answer(response, 202, {
    location: `${base}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, size - 1)}`,
    "docker-upload-uuid": id,
  });
}

async function smallBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new Refusal(413, "SIZE_INVALID", "the manifest is too large");
  if (Number(request.headers["content-length"] ?? 0) > largestManifest) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestManifest) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
