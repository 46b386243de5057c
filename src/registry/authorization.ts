import type { Credential } from "../docker/auth/credential.js";
import { checkBoundary } from "./boundary.js";
import type { Challenge } from "./challenge.js";
import { answerError, loginError, type Shown, type Subject } from "./errors.js";
import type { Answer, Outgoing } from "./transport.js";

export interface AuthorizationOptions {
  /** Looked up when the registry first asks. */
  credential: () => Promise<Credential | undefined>;
  /** One exchange with a token server, with retries. */
  send: (outgoing: Outgoing) => Promise<Answer>;
  subject: Subject;
}

interface Token {
  value: string;
  /** When it was asked for. */
  asked: number;
  /** By our clock; the server's may differ. */
  expires: number;
}

/** What a registry is shown: nothing until it asks, then what it asked for, with tokens renewed before they end. */
export class Authorization {
  private readonly options: AuthorizationOptions;
  private challenge: { url: URL; challenge: Challenge } | undefined;
  private credentialKnown: Promise<Credential | undefined> | undefined;
  private readonly tokens = new Map<string, Promise<Token>>();
  private readonly rejected = new Set<string>();

  constructor(options: AuthorizationOptions) {
    this.options = options;
  }

  /** Takes note of what an HTTP 401 asked for. A token that was shown and not taken counts no longer. */
  learn(url: URL, challenges: readonly Challenge[], shown?: string): void {
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.realm) ??
      challenges.find(({ scheme }) => scheme === "basic");
    if (challenge) this.challenge = { url, challenge };
    if (shown !== undefined) this.rejected.add(shown);
  }

  /**
   * The value of the Authorization header for these scopes; `undefined` when there is nothing to show.
   * A token that would not last for these milliseconds is renewed, where the registry gives ones that last longer.
   */
  async header(scopes: readonly string[], lasting = 0): Promise<string | undefined> {
    if (!this.challenge) return undefined;
    const credential = await this.credential();
    if (credential?.kind === "registry") return `Bearer ${credential.token}`;
    if (this.challenge.challenge.scheme === "basic") return credential && basicHeader(credential);
    return `Bearer ${await this.token(scopes, lasting)}`;
  }

  /** Whether the registry asked for a login. */
  get asked(): boolean {
    return this.challenge !== undefined;
  }

  /** What a registry that still says 401 has seen of us. A token server has already judged the login. */
  async shown(): Promise<Shown> {
    if ((await this.credential()) === undefined) return "nothing";
    return this.challenge?.challenge.scheme === "bearer" ? "accepted" : "rejected";
  }

  private credential(): Promise<Credential | undefined> {
    this.credentialKnown ??= this.options.credential().then((credential) => {
      if (credential) this.keepSecret(credential);
      return credential;
    });
    return this.credentialKnown;
  }

  private keepSecret(credential: Credential): void {
    const { redactor } = this.options.subject;
    redactor.add(credential.kind === "basic" ? credential.password : credential.token);
    redactor.add(basicHeader(credential).slice("Basic ".length));
  }

  private async token(scopes: readonly string[], lasting: number): Promise<string> {
    const key = scopes.join(" ");
    const pending = this.tokens.get(key);
    if (pending) {
      const known = await pending;
      const now = Date.now();
      // One that is as good as new gains nothing from another.
      const needed = Math.min(lasting, (known.expires - known.asked) / 2);
      if (known.expires > now + needed && !this.rejected.has(`Bearer ${known.value}`)) return known.value;
      // Several blobs at once may have waited for the same one: the first of them asks, the others join in.
      const renewed = this.tokens.get(key);
      if (renewed !== undefined && renewed !== pending) return (await renewed).value;
    }
    const wanted = this.fetchToken(scopes);
    this.tokens.set(key, wanted);
    try {
      return (await wanted).value;
    } catch (error) {
      this.tokens.delete(key);
      throw error;
    }
  }

  private async fetchToken(scopes: readonly string[]): Promise<Token> {
    const { challenge, url } = this.challenge ?? {};
    if (!challenge || !url) throw new Error("a token was wanted before the registry asked for one");
    const realm = checkBoundary(url, challenge.parameters.realm ?? "", "logins");
    const service = challenge.parameters.service;
    const credential = await this.credential();
    const asked = Date.now();
    let answer: Answer | undefined;
    if (credential?.kind === "identity") {
      answer = await this.refresh(realm, service, scopes, credential.token);
      // Servers without this way of asking take the token as a password.
      if (answer.status === 404 || answer.status === 405) answer = undefined;
    }
    answer ??= await this.options.send({
      method: "GET",
      ...tokenRequest(realm, service, scopes, credential),
    });
    const shown =
      credential === undefined
        ? "nothing"
        : scopes.length > 0 && answer.status === 403
          ? "accepted"
          : "rejected";
    return this.readToken(answer, asked, shown);
  }

  private refresh(realm: URL, service: string | undefined, scopes: readonly string[], token: string) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "modelship",
      refresh_token: token,
      ...(service !== undefined && { service }),
      ...(scopes.length > 0 && { scope: scopes.join(" ") }),
    });
    return this.options.send({
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: Buffer.from(form.toString()),
    });
  }

  private readToken(answer: Answer, asked: number, shown: Shown): Token {
    const { subject } = this.options;
    if (answer.status === 400 || answer.status === 401 || answer.status === 403) {
      throw loginError(subject, answer, shown);
    }
    const document = answer.status === 200 ? parseObject(answer.body) : undefined;
    const value = document?.token || document?.access_token;
    if (typeof value !== "string") throw answerError(subject, answer);
    subject.redactor.add(value);
    if (typeof document?.refresh_token === "string") subject.redactor.add(document.refresh_token);
    const seconds =
      typeof document?.expires_in === "number" && document.expires_in > 0 ? document.expires_in : 60;
    return { value, asked, expires: asked + Math.max(seconds - 10, seconds / 2) * 1000 };
  }
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credential: Credential | undefined,
): Pick<Outgoing, "url" | "headers"> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers = {
    accept: "application/json",
    ...(credential && { authorization: basicHeader(credential) }),
  };
  return { url, headers };
}

function basicHeader(credential: Credential): string {
  const { username, password } =
    credential.kind === "basic" ? credential : { username: "<token>", password: credential.token };
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
