import type { Credential, CredentialSource } from "../docker/auth/credential.js";
import { credentialSource } from "../docker/auth/lookup.js";
import { UserError } from "../errors.js";
import { Authorization } from "./authorization.js";
import { checkBoundary } from "./boundary.js";
import { parseChallenges } from "./challenge.js";
import { answerError, connectionError, errorsOf, loginError, notARegistry, type Subject } from "./errors.js";
import { type Descriptor, digestOf, isDigest, type Manifest, manifestTypes } from "./manifest.js";
import { Redactor } from "./redact.js";
import { formatReference, type Reference, registryHost } from "./reference.js";
import { type RetryOptions, withRetries } from "./retry.js";
import { findBase } from "./scheme.js";
import { type Answer, type Outgoing, Transport } from "./transport.js";

export interface RegistryClientOptions extends RetryOptions {
  /** Where logins come from; what Docker and Podman keep, unless given. */
  credentials?: CredentialSource | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  /** Certificate authorities (PEM) that are trusted besides the usual ones. */
  ca?: string | Buffer | undefined;
  /** Allows plain HTTP and unknown certificates away from loopback. */
  insecure?: boolean | undefined;
  /** Milliseconds of silence after which a request counts as lost. */
  timeout?: number | undefined;
}

/** An image within the client's registry. */
export type ImageName = Pick<Reference, "repository" | "tag" | "digest">;

export interface RegistryRequest {
  method: string;
  /** Below the registry's root: `/v2/...`. */
  path: string;
  /** What a token must allow: `repository:acme/digits:pull`. */
  scopes?: readonly string[];
  headers?: Record<string, string>;
  body?: Buffer;
  /** Whether it may be sent again after a failure that passes; GET and HEAD always may. */
  repeatable?: boolean;
  /** For errors: what the request is about; the registry itself unless given. */
  name?: string;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 5;

/** One registry, through the OCI distribution protocol. */
export class RegistryClient {
  readonly registry: string;
  private readonly options: RegistryClientOptions;
  private readonly host: string;
  private readonly transport: Transport;
  private readonly redactor = new Redactor();
  private readonly authorization: Authorization;
  private base: Promise<URL> | undefined;

  constructor(registry: string, options: RegistryClientOptions = {}) {
    const env = options.env ?? process.env;
    const credentials = options.credentials ?? credentialSource(env);
    this.registry = registry;
    this.options = options;
    this.host = registryHost({ registry });
    this.transport = new Transport({
      env,
      ca: options.ca,
      insecure: options.insecure,
      signal: options.signal,
      timeout: options.timeout ?? 30_000,
    });
    this.authorization = this.authorizationWith(() => credentials(registry));
  }

  /** Whether a registry answers, and takes our login if it asks for one. */
  async ping(): Promise<void> {
    await this.pingWith(this.authorization);
  }

  /** Proves a login. `asked` is false where the registry never asks for one. */
  async verifyLogin(credential: Credential): Promise<{ asked: boolean }> {
    return this.pingWith(this.authorizationWith(async () => credential));
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
    const answer = await this.authorized(request, this.authorization);
    if (answer.status === 403) throw answerError(this.subject(request.name), answer);
    return answer;
  }

  /** Lets go of the kept connections. */
  close(): void {
    this.transport.close();
  }

  private async expect(statuses: readonly number[], request: RegistryRequest): Promise<Answer> {
    const answer = await this.request(request);
    if (!statuses.includes(answer.status)) throw answerError(this.subject(request.name), answer);
    return answer;
  }

  private async pingWith(authorization: Authorization): Promise<{ asked: boolean }> {
    const answer = await this.authorized({ method: "GET", path: "/v2/" }, authorization);
    if (answer.status === 403 || answer.status === 429 || answer.status >= 500) {
      throw answerError(this.subject(), answer);
    }
    // The protocol wants JSON here and many send nothing; a page for people is neither.
    if (answer.status !== 200 || /^text\/html/i.test(answer.headers["content-type"] ?? "")) {
      throw notARegistry(this.subject(), answer);
    }
    return { asked: authorization.asked };
  }

  private async authorized(request: RegistryRequest, authorization: Authorization): Promise<Answer> {
    const { scopes = [] } = request;
    this.base ??= this.connected(findBase(this.transport, this.host, this.options.insecure === true));
    const url = new URL(request.path, await this.base);
    const shown = await authorization.header(scopes);
    const answer = await this.follow(request, url, shown);
    if (answer.status !== 401) return answer;
    authorization.learn(answer.url, parseChallenges(answer.headers["www-authenticate"]));
    const wanted = await authorization.header(scopes);
    const again = wanted === undefined || wanted === shown ? answer : await this.follow(request, url, wanted);
    if (again.status !== 401) return again;
    throw loginError(this.subject(request.name), again, await authorization.shown());
  }

  private async follow(
    request: RegistryRequest,
    start: URL,
    authorization: string | undefined,
  ): Promise<Answer> {
    const safe = request.method === "GET" || request.method === "HEAD";
    let url = start;
    for (let hop = 0; ; hop++) {
      const headers = {
        ...request.headers,
        ...(authorization !== undefined && url.origin === start.origin && { authorization }),
      };
      const outgoing = { method: request.method, url, headers, body: request.body };
      const answer = await this.exchange(outgoing, safe || request.repeatable === true);
      const { location } = answer.headers;
      if (!safe || !redirects.has(answer.status) || location === undefined || hop === mostRedirects)
        return answer;
      url = checkBoundary(url, location, "us");
    }
  }

  private exchange(outgoing: Outgoing, repeatable: boolean): Promise<Answer> {
    const headers = { "user-agent": "modelship", ...outgoing.headers };
    const send = () => this.transport.send({ ...outgoing, headers });
    return this.connected(repeatable ? withRetries(send, this.options) : send(), outgoing.url.host);
  }

  private async connected<T>(work: Promise<T>, host = this.host): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw connectionError(error, host);
    }
  }

  private authorizationWith(credential: () => Promise<Credential | undefined>): Authorization {
    // Asking for a token changes nothing, whatever the method.
    const send = (outgoing: Outgoing) => this.exchange(outgoing, true);
    return new Authorization({ credential, send, subject: this.subject() });
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

  private subject(name = this.registry): Subject {
    return { registry: this.registry, name, redactor: this.redactor };
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

function headerDigest(answer: Answer): string | undefined {
  const text = answer.headers["docker-content-digest"];
  return typeof text === "string" && isDigest(text) ? text : undefined;
}

function mediaTypeOf(answer: Answer): string {
  const sent = answer.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  return sent || "application/octet-stream";
}
