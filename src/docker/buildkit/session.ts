import { createHash, randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isUserError, messageOf, UserError } from "../../errors.js";
import type { CredentialSource } from "../auth/credential.js";
import type { Docker } from "../client.js";
import type { ContextFile } from "../context-file.js";
import { engineError } from "../errors.js";
import { upgradeRequest } from "../request.js";
import { diffCopy } from "./diff-copy.js";
import { bytesFile } from "./file-tree.js";
import { type Call, GrpcError, GrpcStatus, type Handler, serveGrpc } from "./grpc.js";
import { fields, MessageWriter } from "./protobuf.js";

export interface BuildSecret {
  id: string;
  read: () => Promise<Buffer>;
}

/** What the engine may ask us for during one build. */
export interface SessionContent {
  dockerfile: string;
  files: readonly ContextFile[];
  secrets: readonly BuildSecret[];
  credentials: CredentialSource;
  /** Names the project: builds that share it send only what changed since the last one. */
  sharedKey: string;
}

export interface Session {
  id: string;
  /** Bytes of files sent so far. */
  readonly bytesSent: number;
  close(): void;
}

const methods = {
  health: "/grpc.health.v1.Health/Check",
  credentials: "/moby.filesync.v1.Auth/Credentials",
  secret: "/moby.buildkit.secrets.v1.Secrets/GetSecret",
  files: "/moby.filesync.v1.FileSync/DiffCopy",
} as const;

/**
 * Opens a BuildKit session: the engine's connection back to us for files, secrets and credentials. It lives until
 * `close`. `onFailure` hears of what went wrong on this side (a file that vanished, a credential helper that failed),
 * so that the build can end with that instead of the engine's second-hand account of it.
 */
export async function openSession(
  docker: Docker,
  content: SessionContent,
  onFailure: (error: UserError) => void,
): Promise<Session> {
  const id = randomUUID();
  const socket = await upgradeRequest(docker, {
    method: "POST",
    path: "/session",
    headers: {
      Upgrade: "h2c",
      "X-Docker-Expose-Session-Uuid": id,
      "X-Docker-Expose-Session-Name": "modelship",
      "X-Docker-Expose-Session-Sharedkey": createHash("sha256").update(content.sharedKey).digest("hex"),
      "X-Docker-Expose-Session-Grpc-Method": Object.values(methods),
    },
  }).catch((error: unknown) => {
    throw engineError(error, "opening a build session");
  });

  let bytesSent = 0;
  const handlers: Record<string, Handler> = {
    [methods.health]: (call) => answer(call, () => new MessageWriter().integer(1, 1).finish()),
    [methods.credentials]: (call) => answer(call, (request) => credentials(request, content.credentials)),
    [methods.secret]: (call) => answer(call, (request) => secret(request, content.secrets)),
    [methods.files]: (call) =>
      diffCopy(
        call,
        { context: content.files, dockerfile: [bytesFile("Dockerfile", Buffer.from(content.dockerfile))] },
        (count) => {
          bytesSent += count;
        },
      ),
  };
  const server = serveGrpc(socket, handlers, (error) => onFailure(asUserError(error)));
  // Node.js hands over bytes that came early on the next tick, and cannot bear a session that is closed by then.
  await nextTurn();
  return {
    id,
    get bytesSent() {
      return bytesSent;
    },
    close() {
      server.destroy();
      socket.destroy();
    },
  };
}

async function answer(call: Call, make: (request: Buffer) => Buffer | Promise<Buffer>): Promise<void> {
  await call.send(await make(await call.request()));
}

/** `CredentialsRequest {Host=1}` to `CredentialsResponse {Username=1, Secret=2}`; empty where there are none. */
async function credentials(request: Buffer, source: CredentialSource): Promise<Buffer> {
  const host = text(request, 1);
  // BuildKit asks for Docker Hub under the name of its registry server.
  const credential = await source(host === "registry-1.docker.io" ? "docker.io" : host);
  const response = new MessageWriter();
  if (credential?.kind === "basic") response.bytes(1, credential.username).bytes(2, credential.password);
  // A secret without a user name is taken as a refresh token.
  else if (credential?.kind === "identity") response.bytes(2, credential.token);
  return response.finish();
}

/** `GetSecretRequest {ID=1}` to `GetSecretResponse {data=1}`. */
async function secret(request: Buffer, secrets: readonly BuildSecret[]): Promise<Buffer> {
  const id = text(request, 1);
  const found = secrets.find((one) => one.id === id);
  if (found === undefined) throw new GrpcError(GrpcStatus.notFound, `secret ${id} not found`);
  return new MessageWriter().bytes(1, await found.read()).finish();
}

function text(message: Buffer, number: number): string {
  for (const field of fields(message)) if (field.number === number) return field.bytes.toString();
  return "";
}

function asUserError(error: unknown): UserError {
  if (isUserError(error)) return error;
  return new UserError("build_failed", "The engine could not be given what the build asked for.", {
    why: messageOf(error),
    cause: error,
  });
}
