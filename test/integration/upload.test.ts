import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Credential } from "../../src/docker/auth/credential.js";
import { RegistryClient, type RegistryClientOptions } from "../../src/registry/client.js";
import { sendBlob } from "../../src/registry/upload/send-blob.js";
import { blobOf } from "../setup/bytes-blob.js";
import { compilePush } from "../setup/compiled-push.js";
import { folderWith } from "../setup/folder.js";

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: eval "$(node scripts/setup.mjs --print-env)"`);
  return value;
}

const megabyte = 1024 * 1024;
const username = need("MODELSHIP_TEST_AUTH_USER");
const password = need("MODELSHIP_TEST_AUTH_PASSWORD");
const login: Credential = { kind: "basic", username, password };

function newRepository(): string {
  return `modelship-test/upload-${randomBytes(4).toString("hex")}`;
}

async function clientOf(
  registry: string,
  credential: Credential | undefined,
  options: RegistryClientOptions = {},
): Promise<RegistryClient> {
  const env = { XDG_CACHE_HOME: await folderWith({}), ...options.env };
  const client = new RegistryClient(registry, { credentials: async () => credential, ...options, env });
  onTestFinished(() => client.close());
  return client;
}

/** What the registry gives back for a digest. */
async function readBack(
  client: RegistryClient,
  repository: string,
  digest: string,
  from = 0,
): Promise<Buffer> {
  const { stream } = await client.openBlob(repository, digest, { from });
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe.each([
  ["open to all", need("MODELSHIP_TEST_REGISTRY"), undefined, {}],
  ["with a password", need("MODELSHIP_TEST_AUTH_REGISTRY"), login, {}],
  [
    "behind TLS",
    need("MODELSHIP_TEST_TLS_REGISTRY"),
    login,
    { NODE_EXTRA_CA_CERTS: need("MODELSHIP_TEST_TLS_CA") },
  ],
])("a registry %s", (_, registry, credential, env) => {
  it.each([
    ["empty", 0],
    ["small", 1000],
    ["of one piece", 5 * megabyte],
    ["large", 130 * megabyte],
  ])("takes a blob (%s) once, and gives it back", async (_size, size) => {
    const client = await clientOf(registry, credential, { env });
    const repository = newRepository();
    const content = randomBytes(size);
    for (const digestKnown of [false, true]) {
      const blob = blobOf(content, { digestKnown });
      const result = await sendBlob(client, blob, { repository });
      expect(result).toMatchObject({ digest: blob.itsDigest, size, how: digestKnown ? "present" : "sent" });
      expect(result.bytesSent).toBe(digestKnown ? 0 : size);
    }
    const { itsDigest } = blobOf(content);
    expect((await readBack(client, repository, itsDigest)).equals(content)).toBe(true);
    if (size > 10) {
      expect((await readBack(client, repository, itsDigest, size - 10)).equals(content.subarray(-10))).toBe(
        true,
      );
    }
  });

  it("mounts from another repository, and takes the bytes where there is none", async () => {
    const client = await clientOf(registry, credential, { env });
    const blob = blobOf(randomBytes(2 * megabyte));
    const from = newRepository();
    await sendBlob(client, blob, { repository: from });
    const mounted = await sendBlob(client, blob, {
      repository: newRepository(),
      mountFrom: ["nobody/none", from],
    });
    expect(mounted).toMatchObject({ how: "mounted", bytesSent: 0 });
    const sent = await sendBlob(client, blob, { repository: newRepository(), mountFrom: ["nobody/none"] });
    expect(sent).toMatchObject({ how: "sent", bytesSent: blob.size });
  });

  it("refuses bytes that are not those of the digest, and we say so", async () => {
    const client = await clientOf(registry, credential, { env });
    const repository = newRepository();
    const digest = `sha256:${"1".repeat(64)}`;
    const work = sendBlob(client, { ...blobOf(randomBytes(70 * megabyte)), digest }, { repository });
    await expect(work).rejects.toMatchObject({
      code: "registry_failed",
      message: expect.stringContaining("other bytes of model/weights"),
    });
  });
});

it("a push that is killed at random moments and started again ends with the right bytes", async () => {
  const registry = need("MODELSHIP_TEST_AUTH_REGISTRY");
  const repository = newRepository();
  const size = 200 * megabyte;
  const folder = await folderWith({ "weights.bin": randomBytes(size) });
  const file = join(folder, "weights.bin");
  const push = await compilePush();
  const start = (moment: number) =>
    push.start({
      registry,
      repository,
      file,
      cache: folder,
      username,
      password,
      onSent: (sent, child) => sent >= moment && child.kill("SIGKILL"),
    });
  for (let attempt = 0; attempt < 5; attempt++) expect(await start(randomInt(size))).toBeUndefined();
  const result = await start(Number.POSITIVE_INFINITY);
  if (!result) throw new Error("the push ended without a result");
  const client = await clientOf(registry, login);
  const content = await readBack(client, repository, result.digest);
  expect(blobOf(content).itsDigest).toBe(result.digest);
});

it("where pieces are limited, a push that was killed between two goes on where it was", async () => {
  const registry = need("MODELSHIP_TEST_REGISTRY");
  const learned = JSON.stringify({ [registry]: { largest: 64 * megabyte, until: Date.now() + 60_000 } });
  const cache = await folderWith({ "modelship/registries.json": learned });
  const client = await clientOf(registry, undefined, { env: { XDG_CACHE_HOME: cache } });
  const repository = newRepository();
  const blob = blobOf(randomBytes(130 * megabyte), { digestKnown: false });
  const stop = new AbortController();
  const piece = 64 * megabyte;
  const stopped = sendBlob(
    client,
    { ...blob, open: (from) => stoppedAt(blob.open(from), from ?? 0) },
    { repository, signal: stop.signal },
  );
  await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
  const result = await sendBlob(client, blob, { repository });
  expect(result).toMatchObject({ bytesResumed: piece, bytesSent: blob.size - piece, digest: blob.itsDigest });

  /** Interrupted when the first piece has gone out and nothing of the second. */
  function stoppedAt(reading: ReturnType<typeof blob.open>, from: number): ReturnType<typeof blob.open> {
    async function* chunks() {
      let position = from;
      for await (const chunk of reading) {
        if (position === piece) stop.abort();
        position += chunk.length;
        yield chunk;
      }
    }
    return Object.assign(chunks(), { digest: reading.digest });
  }
});
