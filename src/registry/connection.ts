import type { IncomingMessage } from "node:http";
import type { Credential, CredentialSource } from "../docker/auth/credential.js";
import { credentialSource } from "../docker/auth/lookup.js";
import type { UserError } from "../errors.js";
import { Authorization } from "./authorization.js";
import { checkBoundary } from "./boundary.js";
import { parseChallenges } from "./challenge.js";
import { connectionError, loginError, type Subject } from "./errors.js";
import { Redactor } from "./redact.js";
import { registryHost } from "./reference.js";
import { type RetryOptions, withRetries } from "./retry.js";
import { findBase } from "./scheme.js";
import { type Answer, collect, type Outgoing, Transport } from "./transport.js";

export interface ConnectionOptions extends RetryOptions {
  /** Where logins come from; what Docker and Podman keep, unless given. */
  credentials?: CredentialSource | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  /** Certificate authorities (PEM) that are trusted besides the usual ones. */
  ca?: string | Buffer | undefined;
  /** Allows plain HTTP and unknown certificates away from loopback. */
  insecure?: boolean | undefined;
  /** Milliseconds of silence after which a request counts as lost. */
  timeout?: number | undefined;
  /** Milliseconds that a registry may take over the bytes that it was sent. */
  commitTimeout?: number | undefined;
}

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
  signal?: AbortSignal | undefined;
}

/** An answer whose body is still to be read. */
export interface OpenAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  stream: IncomingMessage;
}

/** An exchange with an address that the registry gave us. */
export type DirectRequest = Omit<Outgoing, "headers"> & {
  scopes: readonly string[];
  headers?: Record<string, string>;
  /** Milliseconds that the authorization must last. */
  lasting?: number;
};

type Exchange = (outgoing: Outgoing) => Promise<Answer>;

const redirects = new Set([301, 302, 303, 307, 308]);
/** Those that keep the method and the body. */
const sameAgain = new Set([307, 308]);
const mostRedirects = 5;

/** The way to one registry: the scheme it speaks, what it asks for to let us in, and where it sends us on to. */
export class Connection {
  readonly registry: string;
  readonly options: Readonly<ConnectionOptions>;
  private readonly host: string;
  private readonly transport: Transport;
  private readonly redactor = new Redactor();
  private readonly authorization: Authorization;
  private base: Promise<URL> | undefined;

  constructor(registry: string, options: ConnectionOptions) {
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

  /** The registry's root. */
  root(): Promise<URL> {
    this.base ??= this.connected(findBase(this.transport, this.host, this.options.insecure === true));
    return this.base;
  }

  /** One request that is let in; redirects of GET and HEAD are followed, without credentials elsewhere. */
  request(request: RegistryRequest): Promise<Answer> {
    const send = (outgoing: Outgoing) => this.transport.send(outgoing);
    return this.authorized(request, this.authorization, send);
  }

  /** The same with a login that is not kept. */
  async requestAs(
    credential: Credential,
    request: RegistryRequest,
  ): Promise<{ answer: Answer; asked: boolean }> {
    const authorization = this.authorizationWith(async () => credential);
    const answer = await this.authorized(request, authorization, (outgoing) => this.transport.send(outgoing));
    return { answer, asked: authorization.asked };
  }

  /** A GET whose content may be larger than memory; any answer without content comes as it is. */
  async open(request: RegistryRequest): Promise<OpenAnswer | Answer> {
    let opened: OpenAnswer | undefined;
    const answer = await this.authorized(request, this.authorization, async (outgoing) => {
      const message = await this.transport.open(outgoing);
      const status = message.statusCode ?? 0;
      if (status !== 200 && status !== 206) return collect(message, outgoing.url);
      opened = { status, headers: message.headers, stream: message };
      return { url: outgoing.url, status, headers: message.headers, body: Buffer.alloc(0) };
    });
    return opened ?? answer;
  }

  /**
   * One exchange as it is: no retry, and errors as the system gives them. Only the registry's own origin sees the
   * login. What a 401 asks for is learned, so that the next exchange is let in. A redirect that keeps the method is
   * followed with a body made anew.
   */
  async exchange(make: () => Promise<DirectRequest>): Promise<Answer> {
    let elsewhere: URL | undefined;
    for (let hop = 0; ; hop++) {
      const request = await make();
      const answer = await this.exchangeOnce({ ...request, url: elsewhere ?? request.url });
      const { location } = answer.headers;
      if (!sameAgain.has(answer.status) || location === undefined || hop === mostRedirects) return answer;
      elsewhere = checkBoundary(answer.url, location, "an upload");
    }
  }

  private async exchangeOnce({ scopes, lasting, headers, ...outgoing }: DirectRequest): Promise<Answer> {
    const own = outgoing.url.origin === (await this.root()).origin;
    const authorization = own ? await this.authorization.header(scopes, lasting) : undefined;
    const shown = authorization !== undefined && { authorization };
    const answer = await this.transport.send({ ...outgoing, headers: { ...agent, ...headers, ...shown } });
    if (own && answer.status === 401)
      this.authorization.learn(answer.url, challengesOf(answer), authorization);
    return answer;
  }

  /** The error of an HTTP 401 that stays. */
  async loginError(answer: Answer, name?: string): Promise<UserError> {
    return loginError(this.subject(name), answer, await this.authorization.shown());
  }

  subject(name = this.registry): Subject {
    return { registry: this.registry, name, redactor: this.redactor };
  }

  /** Lets go of the kept connections. */
  close(): void {
    this.transport.close();
  }

  private async authorized(
    request: RegistryRequest,
    authorization: Authorization,
    send: Exchange,
  ): Promise<Answer> {
    const { scopes = [] } = request;
    const url = new URL(request.path, await this.root());
    const shown = await authorization.header(scopes);
    const answer = await this.follow(request, url, shown, send);
    if (answer.status !== 401) return answer;
    authorization.learn(answer.url, challengesOf(answer), shown);
    const wanted = await authorization.header(scopes);
    const again =
      wanted === undefined || wanted === shown ? answer : await this.follow(request, url, wanted, send);
    if (again.status !== 401) return again;
    throw loginError(this.subject(request.name), again, await authorization.shown());
  }

  private async follow(
    request: RegistryRequest,
    start: URL,
    authorization: string | undefined,
    send: Exchange,
  ): Promise<Answer> {
    const { method, body, signal } = request;
    const safe = method === "GET" || method === "HEAD";
    let url = start;
    const repeatable = safe || request.repeatable === true;
    for (let hop = 0; ; hop++) {
      const headers = {
        ...request.headers,
        ...(authorization !== undefined && url.origin === start.origin && { authorization }),
      };
      const answer = await this.repeated(send, { method, url, headers, body, signal }, repeatable);
      const { location } = answer.headers;
      const sentOn = safe ? redirects.has(answer.status) : repeatable && sameAgain.has(answer.status);
      if (!sentOn || location === undefined || hop === mostRedirects) return answer;
      url = checkBoundary(url, location, "us");
    }
  }

  private repeated(send: Exchange, outgoing: Outgoing, repeatable: boolean): Promise<Answer> {
    const once = () => send({ ...outgoing, headers: { ...agent, ...outgoing.headers } });
    const signal = outgoing.signal ?? this.options.signal;
    const answer = repeatable ? withRetries(once, { ...this.options, signal }) : once();
    return this.connected(answer, outgoing.url.host);
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
    const send = (outgoing: Outgoing) =>
      this.repeated((request) => this.transport.send(request), outgoing, true);
    return new Authorization({ credential, send, subject: this.subject() });
  }
}

const agent = { "user-agent": "modelship" };

function challengesOf(answer: Answer) {
  return parseChallenges(answer.headers["www-authenticate"]);
}
