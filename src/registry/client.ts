import type { Credential } from "../docker/auth/credential.js";
import { UserError } from "../errors.js";
import { Connection, type ConnectionOptions, type OpenAnswer, type RegistryRequest } from "./connection.js";
import { answerError, errorsOf, notARegistry } from "./errors.js";
import { type Descriptor, digestOf, isDigest, type Manifest, manifestTypes } from "./manifest.js";
import { formatReference, type Reference } from "./reference.js";
import type { Answer } from "./transport.js";

export type { RegistryRequest } from "./connection.js";
export type RegistryClientOptions = ConnectionOptions;

/** An image within the client's registry. */
export type ImageName = Pick<Reference, "repository" | "tag" | "digest">;

/** One registry, through the OCI distribution protocol. */
export class RegistryClient {
  readonly registry: string;
  /** For the files beside this one; everybody else asks the client. */
  readonly connection: Connection;

  constructor(registry: string, options: RegistryClientOptions = {}) {
    this.registry = registry;
    this.connection = new Connection(registry, options);
  }

  /** Whether a registry answers, and takes our login if it asks for one. */
  async ping(): Promise<void> {
    this.checkPing(await this.connection.request(pingRequest));
  }

  /** Proves a login. `asked` is false where the registry never asks for one. */
  async verifyLogin(credential: Credential): Promise<{ asked: boolean }> {
    const { answer, asked } = await this.connection.requestAs(credential, pingRequest);
    this.checkPing(answer);
    return { asked };
  }

  /** The manifest of a tag or digest, checked against its digest. */
  async manifest(name: ImageName): Promise<Manifest> {
    const answer = await this.expect([200], this.manifestRequest("GET", name, "pull"));
    const { body } = answer;
    const wanted = name.digest ?? headerDigest(answer);
    const digest = digestOf(body, wanted);
    this.checkDigest(name, digest, wanted);
    this.checkDigest(name, digestOf(body, headerDigest(answer)), headerDigest(answer));
    return { digest, mediaType: mediaTypeOf(answer), size: body.length, body };
  }

  /** What a tag or digest names, without its content; `undefined` when it is not there. */
  async describe(name: ImageName): Promise<Descriptor | undefined> {
    const request = this.manifestRequest("HEAD", name, "pull");
    const answer = await this.request(request);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw answerError(this.subject(request.name), answer);
    const digest = headerDigest(answer);
    const size = Number(answer.headers["content-length"]);
    if (digest === undefined || !Number.isFinite(size)) return this.manifest(name);
    this.checkDigest(name, digest, name.digest);
    return { digest, mediaType: mediaTypeOf(answer), size };
  }

  /** Puts a manifest under a tag or its digest; another tag for what is there already costs one request. */
  async putManifest(name: ImageName, mediaType: string, body: Buffer | string): Promise<Descriptor> {
    const bytes = Buffer.from(body);
    const answer = await this.expect([200, 201, 202], {
      ...this.manifestRequest("PUT", name, "pull,push"),
      headers: { "content-type": mediaType },
      body: bytes,
      repeatable: true,
    });
    const theirs = headerDigest(answer);
    const digest = digestOf(bytes, name.digest);
    this.checkDigest(name, digestOf(bytes, theirs), theirs);
    return { digest, mediaType, size: bytes.length };
  }

  /** Removes a manifest, and with it every tag that names it. Of a tag, what it names now is removed. */
  async deleteManifest(name: ImageName): Promise<void> {
    const digest = name.digest ?? (await this.manifest(name)).digest;
    const request = this.manifestRequest("DELETE", { repository: name.repository, digest }, "pull,delete");
    const answer = await this.request(request);
    if (answer.status === 405 || errorsOf(answer).some(({ code }) => code === "UNSUPPORTED")) {
      throw new UserError("registry_failed", `${this.registry} does not delete images.`, {
        why: "Deletion is switched off in that registry.",
        hint: "Ask its administrator, or delete the image on its web page.",
      });
    }
    if (answer.status >= 300) throw answerError(this.subject(request.name), answer);
  }

  /**
   * One request with what the registry asks for to let us in; redirects of GET and HEAD are followed, without
   * credentials when they leave the registry. Every status but 401 and 403 is the caller's to judge.
   */
  async request(request: RegistryRequest): Promise<Answer> {
    const answer = await this.connection.request(request);
    if (answer.status === 403) throw answerError(this.subject(request.name), answer);
    return answer;
  }

  /**
   * The bytes of a blob from an offset on, as they come. Status 200 where the registry sends all of it whatever the
   * offset, else 206. Whoever stops reading destroys the stream.
   */
  async openBlob(
    repository: string,
    digest: string,
    options: { from?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<OpenAnswer> {
    const { from = 0, signal } = options;
    const request: RegistryRequest = {
      method: "GET",
      path: `/v2/${repository}/blobs/${digest}`,
      scopes: [`repository:${repository}:pull`],
      name: `${this.registry}/${repository}@${digest}`,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      signal,
    };
    const answer = await this.connection.open(request);
    if ("stream" in answer) return answer;
    throw answerError(this.subject(request.name), answer);
  }

  /** Lets go of the kept connections. */
  close(): void {
    this.connection.close();
  }

  private async expect(statuses: readonly number[], request: RegistryRequest): Promise<Answer> {
    const answer = await this.request(request);
    if (!statuses.includes(answer.status)) throw answerError(this.subject(request.name), answer);
    return answer;
  }

  private checkPing(answer: Answer): void {
    if (answer.status === 403 || answer.status === 429 || answer.status >= 500) {
      throw answerError(this.subject(), answer);
    }
    // The protocol wants JSON here and many send nothing; a page for people is neither.
    if (answer.status !== 200 || /^text\/html/i.test(answer.headers["content-type"] ?? "")) {
      throw notARegistry(this.subject(), answer);
    }
  }

  private manifestRequest(method: string, name: ImageName, actions: string): RegistryRequest {
    const target = name.digest ?? name.tag ?? "latest";
    return {
      method,
      path: `/v2/${name.repository}/manifests/${target}`,
      scopes: [`repository:${name.repository}:${actions}`],
      headers: { accept: manifestTypes.join(", ") },
      name: this.fullName(name),
    };
  }

  private fullName({ repository, tag, digest }: ImageName): string {
    return formatReference({
      registry: this.registry,
      repository,
      ...(digest !== undefined ? { digest } : { tag: tag ?? "latest" }),
    });
  }

  private subject(name?: string) {
    return this.connection.subject(name);
  }

  private checkDigest(name: ImageName, ours: string, wanted: string | undefined): void {
    if (wanted === undefined || wanted === ours) return;
    throw new UserError(
      "registry_failed",
      `${this.registry} keeps another manifest than ${this.fullName(name)} should be.`,
      {
        why: `Its digest is ${ours}, not ${wanted}.`,
        hint: "Do not use this image; something between here and the registry, or the registry itself, changes content.",
      },
    );
  }
}

const pingRequest: RegistryRequest = { method: "GET", path: "/v2/" };

function headerDigest(answer: Answer): string | undefined {
  const text = answer.headers["docker-content-digest"];
  return typeof text === "string" && isDigest(text) ? text : undefined;
}

function mediaTypeOf(answer: Answer): string {
  const sent = answer.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  return sent || "application/octet-stream";
}
