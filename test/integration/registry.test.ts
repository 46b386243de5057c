import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CredentialSource } from "../../src/docker/auth/credential.js";
import { UserError } from "../../src/errors.js";
import { RegistryClient, type RegistryClientOptions } from "../../src/registry/client.js";
import { login, logout } from "../../src/registry/login.js";
import { digestOf } from "../../src/registry/manifest.js";
import { folderWith } from "../setup/folder.js";

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: eval "$(node scripts/setup.mjs --print-env)"`);
  return value;
}

const open = need("MODELSHIP_TEST_REGISTRY");
const guarded = need("MODELSHIP_TEST_AUTH_REGISTRY");
const behindTls = need("MODELSHIP_TEST_TLS_REGISTRY");
const username = need("MODELSHIP_TEST_AUTH_USER");
const password = need("MODELSHIP_TEST_AUTH_PASSWORD");
const canary = `canary-${randomBytes(6).toString("hex")}`;
const repository = `modelship-test/registry-${randomBytes(4).toString("hex")}`;
const mediaType = "application/vnd.oci.image.manifest.v1+json";

const clients: RegistryClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function clientOf(registry: string, credentials: CredentialSource, options: RegistryClientOptions = {}) {
  const client = new RegistryClient(registry, { credentials, env: {}, ...options });
  clients.push(client);
  return client;
}

const nobody: CredentialSource = async () => undefined;
const somebody: CredentialSource = async () => ({ kind: "basic", username, password });

/** Two small blobs and the manifest that names them: an image as far as a registry can tell. */
async function pushBlobs(client: RegistryClient): Promise<Buffer> {
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers" } }),
  );
  const layer = randomBytes(100);
  for (const blob of [config, layer]) {
    const scopes = [`repository:${repository}:pull,push`];
    const path = `/v2/${repository}/blobs/uploads/`;
    const begun = await client.request({ method: "POST", path, scopes, body: Buffer.alloc(0) });
    expect(begun.status).toBe(202);
    const upload = new URL(begun.headers.location ?? "", begun.url);
    upload.searchParams.set("digest", digestOf(blob));
    const put = await client.request({
      method: "PUT",
      path: upload.pathname + upload.search,
      scopes,
      headers: { "content-type": "application/octet-stream" },
      body: blob,
    });
    expect(put.status).toBe(201);
  }
  const described = (mediaType: string, blob: Buffer) => ({
    mediaType,
    digest: digestOf(blob),
    size: blob.length,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: described("application/vnd.oci.image.config.v1+json", config),
      layers: [described("application/vnd.oci.image.layer.v1.tar", layer)],
    }),
  );
}

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error(`no UserError: ${error}`);
  for (let part: unknown = error; part instanceof Error; part = part.cause) {
    const text = [part.stack, JSON.stringify(part)].join("\n");
    for (const secret of [canary, password]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(`${username}:${secret}`).toString("base64"));
    }
  }
  return error;
}

describe.each([
  ["open to all", open, nobody, {}],
  ["with a password", guarded, somebody, {}],
  ["behind TLS", behindTls, somebody, { env: { NODE_EXTRA_CA_CERTS: need("MODELSHIP_TEST_TLS_CA") } }],
])("a registry %s", (_, registry, credentials, options) => {
  let manifest: Buffer;
  beforeAll(async () => {
    const client = clientOf(registry, credentials, options);
    manifest = await pushBlobs(client);
    await client.putManifest({ repository, tag: "1" }, mediaType, manifest);
  });

  it("answers", async () => {
    await clientOf(registry, credentials, options).ping();
  });

  it("gives a manifest back as it was put, by tag and by digest", async () => {
    const client = clientOf(registry, credentials, options);
    const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
    expect(await client.manifest({ repository, tag: "1" })).toEqual({
      digest,
      mediaType,
      size: manifest.length,
      body: manifest,
    });
    expect((await client.manifest({ repository, digest })).body).toEqual(manifest);
    expect(await client.describe({ repository, tag: "1" })).toEqual({
      digest,
      mediaType,
      size: manifest.length,
    });
  });

  it("takes another tag for what it has", async () => {
    const client = clientOf(registry, credentials, options);
    const { digest, body } = await client.manifest({ repository, tag: "1" });
    expect((await client.putManifest({ repository, tag: "also" }, mediaType, body)).digest).toBe(digest);
    expect((await client.describe({ repository, tag: "also" }))?.digest).toBe(digest);
  });

  it("says whether the tag or the repository is unknown", async () => {
    const client = clientOf(registry, credentials, options);
    const tag = await failure(client.manifest({ repository, tag: "none" }));
    expect(tag.code).toBe("registry_failed");
    expect(tag.message).toBe(`${registry}/${repository}:none does not exist.`);
    expect(await client.describe({ repository, tag: "none" })).toBeUndefined();
    const unknown = await failure(client.manifest({ repository: "nobody/nothing", tag: "1" }));
    expect(unknown.message).toMatch(/does not exist/);
  });

  it("does not take a manifest whose blobs are missing", async () => {
    const client = clientOf(registry, credentials, options);
    const broken = manifest.toString().replace(/"sha256:[0-9a-f]{4}/g, '"sha256:0000');
    const error = await failure(client.putManifest({ repository, tag: "broken" }, mediaType, broken));
    expect(error.code).toBe("registry_failed");
    expect(error.why).toMatch(/blob/);
  });

  it("deletes, or says that it does not", async () => {
    const client = clientOf(registry, credentials, options);
    const body = `${manifest.toString()}\n`;
    const { digest } = await client.putManifest({ repository, tag: "gone" }, mediaType, body);
    const error = await client.deleteManifest({ repository, digest }).catch((thrown: unknown) => thrown);
    if (error !== undefined)
      expect(error).toMatchObject({ code: "registry_failed", message: /does not delete/ });
    else expect(await client.describe({ repository, digest })).toBeUndefined();
  });
});

describe("a login", () => {
  it("that is right is kept, used, and forgotten", async () => {
    const home = await folderWith({});
    const env = { DOCKER_CONFIG: home };
    const options = { registry: guarded, username, password, env, home };
    expect(await login(options)).toEqual({
      registry: guarded,
      stored: `${home}/config.json`,
      verified: true,
    });
    const kept = JSON.parse(await readFile(`${home}/config.json`, "utf8"));
    expect(Object.keys(kept.auths)).toEqual([guarded]);
    const client = new RegistryClient(guarded, { env });
    clients.push(client);
    await client.ping();
    expect((await logout({ registry: guarded, env, home })).removed).toEqual([`${home}/config.json`]);
  });

  it("that is wrong is refused, and nothing is kept", async () => {
    const home = await folderWith({});
    const options = { registry: guarded, username, password: canary, env: { DOCKER_CONFIG: home }, home };
    const error = await failure(login(options));
    expect(error.code).toBe("authentication");
    expect(error.exitCode).toBe(4);
    expect(error.hint).toContain(`modelship login ${guarded}`);
    await expect(readFile(`${home}/config.json`)).rejects.toThrow(/ENOENT/);
  });

  it("that is missing is asked for", async () => {
    const error = await failure(clientOf(guarded, nobody).manifest({ repository, tag: "1" }));
    expect(error.code).toBe("authentication");
    expect(error.message).toMatch(/needs a login/);
  });

  it("is not proven where the registry asks for none", async () => {
    const home = await folderWith({});
    const result = await login({
      registry: open,
      username,
      password: canary,
      env: { DOCKER_CONFIG: home },
      home,
    });
    expect(result.verified).toBe(false);
  });

  it("is not sent to a registry whose certificate is unknown", async () => {
    const error = await failure(clientOf(behindTls, somebody).ping());
    expect(error.code).toBe("registry_failed");
    expect(error.hint).toMatch(/NODE_EXTRA_CA_CERTS/);
  });
});
