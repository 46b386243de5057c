import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { UserError } from "../../../../src/errors.js";
import type { Blob } from "../../../../src/registry/blob.js";
import { RegistryClient, type RegistryClientOptions } from "../../../../src/registry/client.js";
import { type SendOptions, type SentBlob, sendBlob } from "../../../../src/registry/upload/send-blob.js";
import { folderWith } from "../../../setup/folder.js";
import { piece, type StandIn } from "../../../setup/stand-in/for-test.js";

export const megabyte = 1024 * 1024;
export const canary = "canary-4be19d";
export const repository = "acme/digits";
export const login = { username: "ada", password: canary, lifetime: 300 };

/** Large enough for three pieces of those that name their size. */
export const large = randomBytes(2 * piece + 2 * megabyte);
/** Large enough for three pieces of those that do not. */
export const huge = () => randomBytes(130 * megabyte);

export interface Push {
  client: RegistryClient;
  /** The cache folder. */
  cache: string;
  /** What the user was told on the way. */
  details: string[];
  /** How far it was, each time it was told. */
  sent: number[];
  send: (blob: Blob, options?: Partial<SendOptions>) => Promise<SentBlob>;
}

/** A client with a cache of its own, whose waits are short. */
export async function pushTo(
  server: StandIn,
  options: RegistryClientOptions & { cache?: string } = {},
): Promise<Push> {
  const cache = options.cache ?? (await folderWith({}));
  const client = new RegistryClient(server.host, {
    credentials: async () => ({ kind: "basic", username: login.username, password: login.password }),
    env: { XDG_CACHE_HOME: cache },
    backoff: 5,
    timeout: 1_000,
    ...options,
  });
  onTestFinished(() => client.close());
  const details: string[] = [];
  const sent: number[] = [];
  const onProgress: SendOptions["onProgress"] = (progress) => {
    sent.push(progress.sent);
    if (progress.detail !== undefined) details.push(progress.detail);
  };
  const send = (blob: Blob, more: Partial<SendOptions> = {}) =>
    sendBlob(client, blob, { repository, onProgress, ...more });
  return { client, cache, details, sent, send };
}

/** The error of a push, once it is sure that no secret is in it. */
export async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UserError)) throw new Error("no UserError", { cause: error });
  for (let part: unknown = error; part instanceof Error; part = part.cause) {
    expectNoSecret([part.stack, JSON.stringify(part)].join("\n"));
  }
  return error;
}

/** Neither the password nor any token. */
export function expectNoSecret(text: string): void {
  expect(text).not.toContain(canary);
  expect(text).not.toContain(Buffer.from(`${login.username}:${canary}`).toString("base64"));
  expect(text).not.toMatch(/token-[0-9a-f]{8}/);
}

/** All of the cache folder, with the names. */
export async function cacheContent(cache: string): Promise<string> {
  const names = await readdir(cache, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map(async (file) => `${file}\n${await readFile(file, "utf8")}`))).join(
    "\n",
  );
}

export function stored(server: StandIn, digest: string): boolean {
  return server.store.repository(repository).blobs.has(digest);
}

/** Bytes that the registry received more than the blob has. */
export function sentTwice(server: StandIn, size: number): number {
  return server.store.repository(repository).bytesReceived - size;
}
