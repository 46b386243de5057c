import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Arrival, receive } from "./body.js";
import type { Fault, FaultPlan } from "./faults.js";
import { type Manner, rangeOf } from "./manner.js";
import { type Store, sha256, type Upload } from "./store.js";
import type { Tokens } from "./tokens.js";

export interface Surroundings {
  store: Store;
  faults: FaultPlan;
  manner: Manner;
  tokens: Tokens | undefined;
  origin: string;
  elsewhere: string;
  uploadsElsewhere: boolean;
  referrers: boolean;
}

const wrongDigest = `sha256:${"0".repeat(64)}`;

/** One request and what a registry says to it. */
export class Exchange {
  private readonly around: Surroundings;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly url: URL;
  private fault: Fault | undefined;

  constructor(around: Surroundings, request: IncomingMessage, response: ServerResponse) {
    this.around = around;
    this.request = request;
    this.response = response;
    this.url = new URL(request.url ?? "", around.origin);
  }

  async answer(tokens: Tokens | undefined): Promise<void> {
    const { pathname } = this.url;
    if (pathname === "/token" && tokens) return tokens.give(this.request, this.response, this.url);
    const [, name, kind, rest = ""] = /^\/v2\/(.+?)\/(blobs|manifests|referrers)\/(.*)$/.exec(pathname) ?? [];
    const method = this.request.method ?? "";
    const needed = method === "GET" || method === "HEAD" ? "pull" : "push";
    const shown = this.request.headers.authorization;
    const known = () =>
      !tokens || (name === undefined ? shown !== undefined : tokens.allows(shown, name, needed));
    if (!known()) return this.unauthorized(name, needed);
    this.fault = this.around.faults.take(method, `${pathname}${this.url.search}`);
    if (this.fault?.kind === "redirect") return this.redirect(this.fault.status);
    if (this.fault?.kind === "expire") this.around.tokens?.expire();
    if (!known()) return this.unauthorized(name, needed);
    if (pathname === "/v2/") return this.say(200);
    if (name === undefined) return this.problem(404, "NAME_UNKNOWN");
    if (kind === "manifests") return this.manifest(name, rest);
    if (kind === "referrers") return this.referrers(name, rest);
    if (rest === "uploads/") return this.begin(name);
    if (rest.startsWith("uploads/")) return this.upload(name, rest.slice("uploads/".length));
    return this.blob(name, rest);
  }

  private async begin(name: string): Promise<void> {
    await this.arrival(name);
    if (await this.spoilt()) return;
    const digest = this.url.searchParams.get("mount");
    const from = this.url.searchParams.get("from");
    const content = digest && from ? this.around.store.repository(from).blobs.get(digest) : undefined;
    if (content && digest) {
      this.around.store.repository(name).blobs.set(digest, content);
      return this.say(201, { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest });
    }
    const { advertised } = this.around.manner;
    const limits = advertised === undefined ? {} : { "oci-chunk-max-length": String(advertised) };
    this.taken(202, this.around.store.begin(name), limits);
  }

  private async upload(name: string, id: string): Promise<void> {
    const { store, manner } = this.around;
    const upload = store.uploads.get(id);
    const { method, headers } = this.request;
    const length = Number(headers["content-length"] ?? 0);
    if (manner.largestBody !== undefined && length > manner.largestBody)
      return this.problem(413, "SIZE_INVALID");
    if (!upload) return this.problem(404, "BLOB_UPLOAD_UNKNOWN");
    const state = this.url.searchParams.get(manner.signsState ? "_state" : "state");
    if (manner.cut === "fatal" && state !== String(upload.size))
      return this.problem(404, "BLOB_UPLOAD_INVALID");
    if (method === "DELETE") {
      store.uploads.delete(id);
      return this.say(204);
    }
    if (method === "GET") {
      if (await this.spoilt()) return;
      return this.taken(204, upload);
    }
    const range = /^(\d+)-(\d+)$/.exec(headers["content-range"] ?? "");
    if (method === "PATCH" && range) {
      if (manner.noPieces) return this.problem(manner.noPieces, "UNSUPPORTED");
      if (manner.largestPiece !== undefined && length > manner.largestPiece)
        return this.problem(416, "RANGE_INVALID");
      if (manner.cut !== "fatal" && Number(range[1]) !== upload.size) {
        return this.problem(416, "RANGE_INVALID", { range: rangeOf(upload, manner) });
      }
    }
    const before = { chunks: [...upload.chunks], size: upload.size };
    const arrived = await this.arrival(name);
    upload.chunks.push(...arrived.chunks);
    upload.size += arrived.size;
    if (arrived.how !== "whole" && manner.cut === "dropped") Object.assign(upload, before);
    if (arrived.how === "cut" || (await this.spoilt())) return;
    if (method === "PATCH") return this.taken(manner.taken, upload);
    const digest = this.url.searchParams.get("digest") ?? "";
    if (!store.commit(upload, digest)) return this.problem(400, "DIGEST_INVALID");
    const said = this.fault?.kind === "wrong-digest" ? wrongDigest : digest;
    this.done(201, { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": said });
  }

  private async blob(name: string, digest: string): Promise<void> {
    if (await this.spoilt()) return;
    const content = this.around.store.repository(name).blobs.get(digest);
    if (!content) return this.problem(404, "BLOB_UNKNOWN");
    this.content(content, "application/octet-stream", digest);
  }

  private async manifest(name: string, target: string): Promise<void> {
    const repository = this.around.store.repository(name);
    const { method, headers } = this.request;
    const arrived = await this.arrival(name);
    if (arrived.how === "cut" || (await this.spoilt())) return;
    if (method === "PUT") {
      const body = Buffer.concat(arrived.chunks);
      const missing = blobsOf(body).filter((digest) => !repository.blobs.has(digest));
      if (missing.length > 0) return this.problem(400, "MANIFEST_BLOB_UNKNOWN");
      const digest = sha256(body);
      if (target.startsWith("sha256:") && target !== digest) return this.problem(400, "DIGEST_INVALID");
      const mediaType = headers["content-type"] ?? "";
      for (const key of [target, digest]) repository.manifests.set(key, { mediaType, body });
      const subject = this.around.referrers ? subjectOf(body) : undefined;
      return this.done(201, {
        "docker-content-digest": digest,
        ...(subject !== undefined && { "oci-subject": subject }),
      });
    }
    const found = repository.manifests.get(target);
    if (!found) return this.problem(404, "MANIFEST_UNKNOWN");
    this.content(found.body, found.mediaType, sha256(found.body));
  }

  /** What is about a digest, a page of two at a time. */
  private referrers(name: string, subject: string): void {
    if (!this.around.referrers) {
      this.problem(404, "NOT_FOUND");
      return;
    }
    const all = [...this.around.store.repository(name).manifests]
      .filter(([key, { body }]) => key.startsWith("sha256:") && subjectOf(body) === subject)
      .map(([digest, { mediaType, body }]) => {
        const { artifactType, annotations } = JSON.parse(body.toString("utf8"));
        return { mediaType, digest, size: body.length, artifactType, annotations };
      });
    const from = Number(this.url.searchParams.get("from") ?? 0);
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const next = `</v2/${name}/referrers/${subject}?from=${from + 2}>; rel="next"`;
    this.say(
      200,
      { "content-type": mediaType, ...(from + 2 < all.length && { link: next }) },
      JSON.stringify({ schemaVersion: 2, mediaType, manifests: all.slice(from, from + 2) }),
    );
  }

  private async arrival(name: string): Promise<Arrival> {
    const arrived = await receive(this.request, this.fault);
    this.around.store.repository(name).bytesReceived += arrived.size;
    return arrived;
  }

  /** Does what the fault wants in place of the right answer, if it wants anything. */
  private async spoilt(): Promise<boolean> {
    const { fault } = this;
    if (fault?.kind === "reset") this.request.socket.resetAndDestroy();
    else if (fault?.kind === "status") {
      this.problem(fault.status, fault.code ?? "UNKNOWN", { connection: "close", ...fault.headers });
      // Whoever sends on is listened to until it has understood.
      this.request.resume();
    } else if (fault?.kind === "slow") {
      await sleep(fault.milliseconds);
      return false;
    } else return fault?.kind === "hang";
    return true;
  }

  /** Success, unless its answer is to get lost. */
  private done(status: number, headers: Record<string, string>): void {
    const { fault } = this;
    if (fault?.kind !== "done-but") this.say(status, headers);
    else if (fault.status === 0) this.request.socket.resetAndDestroy();
    else this.problem(fault.status, fault.code ?? "UNKNOWN");
  }

  private taken(status: number, upload: Upload, more: Record<string, string> = {}): void {
    const { manner, elsewhere, uploadsElsewhere } = this.around;
    const state = `${manner.signsState ? "_state" : "state"}=${upload.size}`;
    const path = `/v2/${upload.repository}/blobs/uploads/${upload.id}?${state}`;
    this.done(status, {
      location: uploadsElsewhere ? `${elsewhere}${path}` : path,
      range: rangeOf(upload, manner),
      "docker-upload-uuid": upload.id,
      ...more,
    });
  }

  private content(content: Buffer, mediaType: string, digest: string): void {
    const from = Number(/^bytes=(\d+)-$/.exec(this.request.headers.range ?? "")?.[1] ?? 0);
    const part = content.subarray(from);
    this.response.writeHead(from > 0 ? 206 : 200, {
      "content-type": mediaType,
      "content-length": String(part.length),
      "docker-content-digest": this.fault?.kind === "wrong-digest" ? wrongDigest : digest,
    });
    if (this.request.method === "HEAD") this.response.end();
    else if (this.fault?.kind === "short") {
      this.response.write(part.subarray(0, part.length / 2), () => this.request.socket.destroy());
    } else this.response.end(part);
  }

  private unauthorized(name: string | undefined, action: string): void {
    const scope = name === undefined ? "" : `,scope="repository:${name}:${action}"`;
    const challenge = `Bearer realm="${this.around.origin}/token",service="stand-in"${scope}`;
    this.problem(401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }

  private redirect(status: number): void {
    this.say(status, { location: `${this.around.elsewhere}${this.request.url}`, connection: "close" });
    this.request.resume();
  }

  private problem(status: number, code: string, headers: Record<string, string> = {}): void {
    const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] });
    this.say(status, { "content-type": "application/json", ...headers }, body);
    this.request.resume();
  }

  private say(status: number, headers: Record<string, string> = {}, body = ""): void {
    const length = status === 204 ? {} : { "content-length": String(Buffer.byteLength(body)) };
    this.response.writeHead(status, { ...headers, ...length });
    this.response.end(this.request.method === "HEAD" ? undefined : body);
  }
}

function subjectOf(manifest: Buffer): string | undefined {
  const { subject } = JSON.parse(manifest.toString("utf8")) as { subject?: { digest: string } };
  return subject?.digest;
}

function blobsOf(manifest: Buffer): string[] {
  const { config, layers = [] } = JSON.parse(manifest.toString("utf8")) as {
    config?: { digest: string };
    layers?: { digest: string }[];
  };
  return [...(config ? [config] : []), ...layers].map(({ digest }) => digest);
}
