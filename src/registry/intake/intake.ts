import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Credential } from "../../docker/auth/credential.js";
import { messageOf } from "../../errors.js";
import type { Manifest } from "../manifest.js";
import { Refusal, refuse } from "./answer.js";
import { Manifests } from "./manifests.js";
import { isLeftOver, ownName } from "./owner.js";
import { type RouteOptions, Routes, repository } from "./routes.js";
import { Uploads } from "./uploads.js";

export interface IntakeOptions extends RouteOptions {
  /** Something on our side went wrong: no use in letting the engine try again. */
  onFailure: (error: unknown) => void;
}

/**
 * A registry on loopback that lives for one push of an engine: blobs go into a spool, manifests stay in memory. Whoever
 * does not know its random credential, as other users of the machine do not, gets nothing but 401.
 */
export class Intake {
  /** A name for an image; pushing it brings the image here. */
  readonly reference: string;
  readonly credential: Credential;
  private readonly server: Server;
  private readonly onFailure: IntakeOptions["onFailure"];
  private readonly authorization: Buffer;
  private readonly tag = ownName();
  private readonly manifests = new Manifests();
  private readonly uploads: Uploads;
  private readonly routes: Routes;
  private readonly work = new Set<Promise<void>>();
  private spokenTo = false;

  private constructor(options: IntakeOptions, server: Server) {
    const { port } = server.address() as AddressInfo;
    const username = "modelship";
    const password = randomBytes(24).toString("base64url");
    this.server = server;
    this.onFailure = options.onFailure;
    this.reference = `127.0.0.1:${port}/${repository}:${this.tag}`;
    this.credential = { kind: "basic", username, password };
    this.authorization = Buffer.from(`Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`);
    this.uploads = new Uploads(options.spool);
    this.routes = new Routes(options, this.manifests, this.uploads);
  }

  static async open(options: IntakeOptions): Promise<Intake> {
    // An engine that compresses as it sends may take long over a body. One that says hello in TLS first is answered
    // with 400 at once, which is what makes it try plain HTTP.
    const server = createServer({ requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 60_000 });
    server.maxConnections = 128;
    await listen(server, usualPort(options.spool.folder)).catch(() => listen(server, 0));
    const intake = new Intake(options, server);
    server.on("request", (request, response) => {
      const work = intake.serve(request, response).finally(() => intake.work.delete(work));
      intake.work.add(work);
    });
    return intake;
  }

  /** Whether anybody with the credential has come. */
  get reached(): boolean {
    return this.spokenTo;
  }

  /** A manifest by digest; without one, that of the image that was pushed. */
  manifest(digest?: string): Manifest | undefined {
    return this.manifests.get(digest ?? this.tag);
  }

  /** Ends every connection and removes what was not received whole. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await Promise.all([closed, ...this.work]);
    await this.uploads.cancelAll();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    try {
      if (!this.knows(request)) {
        response.setHeader("www-authenticate", 'Basic realm="modelship"');
        throw new Refusal(401, "UNAUTHORIZED", "authentication required");
      }
      this.spokenTo = true;
      await this.routes.serve(request, response);
    } catch (error) {
      if (error === request.errored) return; // the engine hung up
      if (!(error instanceof Refusal)) this.onFailure(error);
      // Of a body that nobody wants the rest is not waited for.
      if (!request.complete) response.setHeader("connection", "close");
      refuse(response, error instanceof Refusal ? error : new Refusal(500, "UNKNOWN", messageOf(error)));
    }
  }

  private knows(request: IncomingMessage): boolean {
    const given = Buffer.from(request.headers.authorization ?? "");
    return given.length === this.authorization.length && timingSafeEqual(given, this.authorization);
  }
}

/**
 * The same for each intake of one spool, and above the ports that systems give out. Podman remembers which layers a
 * registry has by its host and port, and compresses them again for one that it has not met.
 */
function usualPort(folder: string): number {
  const lowest = 61_000;
  return lowest + (createHash("sha256").update(folder).digest().readUInt32LE() % (65_536 - lowest));
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether a name is one that an intake of a process that has ended gave an image. */
export function isLeftOverReference(name: string): boolean {
  const tag = /^127\.0\.0\.1:\d+\/modelship\/code:(.+)$/.exec(name)?.[1];
  return tag !== undefined && isLeftOver(tag);
}
