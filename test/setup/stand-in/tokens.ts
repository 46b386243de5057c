import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

export interface TokenOptions {
  username: string;
  password: string;
  /** Seconds. */
  lifetime: number;
}

/** A token server: a password for a token, which lets in for some time to what it was asked for. */
export class Tokens {
  private readonly options: TokenOptions;
  private readonly given = new Map<string, { until: number; scopes: string[] }>();
  /** Tokens that were asked for. */
  asked = 0;

  constructor(options: TokenOptions) {
    this.options = options;
  }

  give(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const { username, password, lifetime } = this.options;
    this.asked++;
    const login = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    if (request.headers.authorization !== login) {
      response.writeHead(401, { "content-length": "0" }).end();
      return;
    }
    const token = `token-${randomBytes(12).toString("hex")}`;
    this.given.set(token, { until: Date.now() + lifetime * 1000, scopes: url.searchParams.getAll("scope") });
    const body = JSON.stringify({ token, expires_in: lifetime });
    response.writeHead(200, { "content-type": "application/json", "content-length": String(body.length) });
    response.end(body);
  }

  allows(authorization: string | undefined, repository: string, action: string): boolean {
    const known = this.given.get(authorization?.replace(/^Bearer /, "") ?? "");
    if (!known || known.until < Date.now()) return false;
    return known.scopes.some((scope) => {
      const [, name, actions = ""] = /^repository:(.+):([a-z,]+)$/.exec(scope) ?? [];
      return name === repository && actions.split(",").includes(action);
    });
  }

  expire(): void {
    this.given.clear();
  }
}
