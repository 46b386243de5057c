import { isUserError } from "../../errors.js";
import type { Connection } from "../connection.js";
import { answerError } from "../errors.js";
import type { Answer, Body } from "../transport.js";
import { bytesTaken, nextLocation, withDigest } from "./location.js";
import { refusal, withSetbacks } from "./setback.js";

/** An upload that a registry has opened. */
export interface Session {
  location: URL;
  /** Bytes that the registry has said it has. */
  offset: number;
  /** Bytes of the smallest and the largest piece that it takes, where it says so. */
  least: number | undefined;
  largest: number | undefined;
}

/** Bytes on their way, and made anew for each attempt. */
export type MakeBody = () => Promise<Body>;

const bytes = { "content-type": "application/octet-stream" };

/** The requests about blobs of one repository. */
export class BlobEndpoint {
  readonly connection: Connection;
  /** For people: `ghcr.io/acme/digits`. */
  readonly name: string;
  private readonly repository: string;
  private readonly signal: AbortSignal | undefined;

  constructor(connection: Connection, repository: string, signal: AbortSignal | undefined) {
    this.connection = connection;
    this.name = `${connection.registry}/${repository}`;
    this.repository = repository;
    this.signal = signal;
  }

  async has(digest: string): Promise<boolean> {
    const path = `/v2/${this.repository}/blobs/${digest}`;
    const answer = await this.request({ method: "HEAD", path });
    const unclear = answer.status === 403 || answer.status === 429 || answer.status >= 500;
    if (unclear) throw answerError(this.connection.subject(this.name), answer);
    return answer.status === 200;
  }

  async begin(): Promise<Session> {
    const path = `/v2/${this.repository}/blobs/uploads/`;
    const answer = await this.request({ method: "POST", path, body: Buffer.alloc(0), repeatable: true });
    if (answer.status === 202 || answer.status === 201) return sessionOf(answer);
    throw answerError(this.connection.subject(this.name), answer);
  }

  /** A registry that does not want to, or knows no such blob there, opens an upload or says nothing of use. */
  async mount(digest: string, from: string): Promise<"mounted" | Session | undefined> {
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    try {
      const answer = await this.request({
        method: "POST",
        path: `/v2/${this.repository}/blobs/uploads/?${query}`,
        scopes: [...this.scopes, `repository:${from}:pull`],
        body: Buffer.alloc(0),
        repeatable: true,
      });
      if (answer.status === 201) return "mounted";
      return answer.status === 202 ? sessionOf(answer) : undefined;
    } catch (error) {
      if (isUserError(error) && error.code === "interrupted") throw error;
      return undefined;
    }
  }

  /** Sends bytes; with a range as one piece of several, without as all there is. */
  patch(session: Session, makeBody: MakeBody, range?: string): Promise<Answer> {
    const headers = { ...bytes, ...(range !== undefined && { "content-range": range }) };
    return this.exchange("PATCH", session.location, { headers, makeBody });
  }

  /** What the registry has of an upload; `undefined` when it knows nothing of it any more. */
  async status(session: Session): Promise<Session | undefined> {
    const answer = await this.exchange("GET", session.location);
    if (answer.status === 401 || answer.status === 429 || answer.status >= 500) {
      throw refusal(this.connection, answer, this.name);
    }
    const offset = isTaken(answer) ? bytesTaken(answer) : undefined;
    if (offset === undefined) return undefined;
    return { ...session, offset, location: nextLocation(answer, session.location) };
  }

  /** Ends an upload; the registry may take its time over it. */
  commit(session: Session, digest: string, makeBody?: MakeBody): Promise<Answer> {
    const { commitTimeout = defaultCommitTimeout } = this.connection.options;
    return this.exchange("PUT", withDigest(session.location, digest), {
      headers: bytes,
      ...(makeBody ? { makeBody } : { timeout: commitTimeout }),
      lasting: 60_000,
    });
  }

  /** So that the registry need not keep what nobody will go on with. */
  async cancel(session: Session): Promise<void> {
    await this.exchange("DELETE", session.location, { last: true, timeout: 5_000 }).catch(() => {});
  }

  private get scopes(): string[] {
    return [`repository:${this.repository}:pull,push`];
  }

  private request(request: Parameters<Connection["request"]>[0]): Promise<Answer> {
    return this.connection.request({
      scopes: this.scopes,
      name: this.name,
      signal: this.signal,
      ...request,
    });
  }

  private exchange(
    method: string,
    url: URL,
    options: {
      headers?: Record<string, string>;
      makeBody?: MakeBody;
      timeout?: number;
      lasting?: number;
      last?: boolean;
    } = {},
  ): Promise<Answer> {
    const { makeBody, ...rest } = options;
    const { scopes, signal } = this;
    return withSetbacks(() =>
      this.connection.exchange(async () => ({
        method,
        url,
        scopes,
        signal,
        lasting: 20_000,
        ...rest,
        body: makeBody ? await makeBody() : method === "PUT" ? Buffer.alloc(0) : undefined,
      })),
    );
  }
}

/** Registries differ in which of these they say. */
export function isTaken({ status }: Answer): boolean {
  return status === 200 || status === 201 || status === 202 || status === 204;
}

export const defaultCommitTimeout = 600_000;

function sessionOf(answer: Answer): Session {
  return {
    location: nextLocation(answer),
    offset: 0,
    least: bytesIn(answer.headers["oci-chunk-min-length"]),
    largest: bytesIn(answer.headers["oci-chunk-max-length"]),
  };
}

function bytesIn(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^[1-9]\d{0,14}$/.test(header) ? Number(header) : undefined;
}
