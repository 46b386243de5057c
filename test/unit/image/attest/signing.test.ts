import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  isSignedBy,
  readSigningKey,
  readVerifyingKey,
  type SigningKey,
  signBytes,
} from "../../../../src/image/attest/key.js";
import { hasSignature, putSignature, readSignatures } from "../../../../src/image/attest/signatures.js";
import { vouches } from "../../../../src/image/attest/simple-signing.js";
import { RegistryClient } from "../../../../src/registry/client.js";
import { digestOf } from "../../../../src/registry/manifest.js";
import { folderWith } from "../../../setup/folder.js";
import { startStandIn } from "../../../setup/stand-in/registry.js";

/** Made by cosign 2.4.1: `generate-key-pair`, then `sign --tlog-upload=false -a build=7`. */
const fixtures = fileURLToPath(new URL("fixtures/cosign", import.meta.url));
const password = "canary-pass";
const signedByCosign = "sha256:f2ca5462b523d0d44bf19ac9362173cbef957c32b616c33deaf0f978b2393924";
const digest = `sha256:${"5".repeat(64)}`;
const repository = "acme/digits";

function pair(kind: "ec" | "rsa" | "ed25519"): SigningKey {
  const made =
    kind === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "prime256v1" })
      : kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ed25519");
  return { private: made.privateKey, public: made.publicKey };
}

const pem = (key: KeyObject) =>
  key.export({ type: key.type === "private" ? "pkcs8" : "spki", format: "pem" }).toString();

async function keyFile(text: string): Promise<string> {
  return join(await folderWith({ "my.key": text }), "my.key");
}

async function failure(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: "UserError" });
  return error as { code: string; message: string; why?: string; hint?: string };
}

async function registry() {
  const server = await startStandIn();
  const client = new RegistryClient(server.host, { env: {}, backoff: 1, credentials: async () => undefined });
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  return { ...server, client, manifests: server.store.repository(repository).manifests };
}

describe("keys of cosign", () => {
  const file = join(fixtures, "cosign.key");
  const publicKey = createPublicKey(readFileSync(join(fixtures, "cosign.pub")));

  it("are opened with COSIGN_PASSWORD, or with what a person types", async () => {
    const opened = await readSigningKey(file, { env: { COSIGN_PASSWORD: password } });
    const asked = await readSigningKey(file, { env: {}, askPassword: async () => password });
    expect(pem(opened.public)).toBe(pem(publicKey));
    expect(pem(asked.public)).toBe(pem(publicKey));
  });

  it("stay closed with another password, which is not repeated", async () => {
    const error = await failure(readSigningKey(file, { env: { COSIGN_PASSWORD: "canary-wrong" } }));
    expect(error.code).toBe("authentication");
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain("canary-wrong");
  });

  it("want a password where nobody can be asked", async () => {
    expect(await failure(readSigningKey(file, { env: {} }))).toMatchObject({
      code: "authentication",
      hint: "Set COSIGN_PASSWORD.",
    });
  });

  it("are refused when they ask for more work than cosign's do", async () => {
    const body = JSON.parse(
      Buffer.from(readFileSync(file, "utf8").replace(/-----.*-----/g, ""), "base64").toString(),
    );
    body.kdf.params.N = 2 ** 24;
    const text = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${Buffer.from(JSON.stringify(body)).toString("base64")}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
    const error = await failure(readSigningKey(await keyFile(text), { env: { COSIGN_PASSWORD: password } }));
    expect(error.message).toMatch(/is no key as cosign seals them/);
  });
});

describe("a signature that cosign made", () => {
  const key = createPublicKey(readFileSync(join(fixtures, "cosign.pub")));
  const payload = readFileSync(join(fixtures, "payload.golden"));
  const [layer] = JSON.parse(readFileSync(join(fixtures, "signature.golden"), "utf8")).layers;

  it("vouches for its digest, and for no other", () => {
    expect(vouches(key, layer, payload, signedByCosign)).toBe(true);
    expect(vouches(key, layer, payload, digest)).toBe(false);
  });

  it("counts for nothing with another key, another payload or a damaged signature", () => {
    expect(vouches(pair("ec").public, layer, payload, signedByCosign)).toBe(false);
    const other = Buffer.from(payload.toString().replace('"7"', '"8"'));
    expect(vouches(key, layer, other, signedByCosign)).toBe(false);
    const damaged = { ...layer, annotations: { "dev.cosignproject.cosign/signature": "MEQCIA==" } };
    expect(vouches(key, damaged, payload, signedByCosign)).toBe(false);
  });
});

describe("signatures in a registry", () => {
  it("are found with the key that made them, at the place where cosign looks", async () => {
    const { client, manifests } = await registry();
    const key = pair("ec");
    const placed = await putSignature(client, repository, digest, key);
    expect(placed).toEqual({ tag: `sha256-${"5".repeat(64)}.sig`, sent: true });
    const { layers } = JSON.parse(manifests.get(placed.tag)?.body.toString() ?? "{}");
    expect(layers).toHaveLength(1);
    expect(layers[0].mediaType).toBe("application/vnd.dev.cosign.simplesigning.v1+json");
    const found = await readSignatures(client, repository, digest);
    expect(await hasSignature(client, repository, digest, key.public, found)).toBe(true);
    expect(await hasSignature(client, repository, digest, pair("ec").public, found)).toBe(false);
  });

  it("are sent once for a key, and stay beside those of other keys", async () => {
    const { client, seen } = await registry();
    const [first, second] = [pair("ec"), pair("rsa")];
    for (const key of [first, second]) await putSignature(client, repository, digest, key);
    const before = seen.length;
    expect(await putSignature(client, repository, digest, first)).toMatchObject({ sent: false });
    expect(seen.slice(before).filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
    const found = await readSignatures(client, repository, digest);
    expect(found).toHaveLength(2);
    for (const key of [first, second]) {
      expect(await hasSignature(client, repository, digest, key.public, found)).toBe(true);
    }
  });

  it("both stay when two sign at once", async () => {
    const { client } = await registry();
    const keys = [pair("ec"), pair("ec")];
    await Promise.all(keys.map((key) => putSignature(client, repository, digest, key)));
    const found = await readSignatures(client, repository, digest);
    for (const key of keys) {
      expect(await hasSignature(client, repository, digest, key.public, found)).toBe(true);
    }
  });

  it.each([
    ["entries that are none", '{"layers": [null, {"digest": "sha256:1"}, 7, {"digest": 1, "size": 1}]}'],
    ["no list", '{"layers": {"0": 1}}'],
    ["no JSON", "{"],
  ])("are read with care: %s", async (_name, text) => {
    const { client, manifests } = await registry();
    const body = Buffer.from(text);
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    for (const name of [`sha256-${"5".repeat(64)}.sig`, digestOf(body)])
      manifests.set(name, { mediaType, body });
    expect(await readSignatures(client, repository, digest)).toEqual([]);
  });
});

describe("key files", () => {
  it("may be PEM of openssl's: PKCS #8, SEC 1, RSA, or encrypted PKCS #8", async () => {
    const { private: ec } = pair("ec");
    const texts = [
      pem(ec),
      ec.export({ type: "sec1", format: "pem" }).toString(),
      pem(pair("rsa").private),
      ec.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: password }).toString(),
    ];
    for (const text of texts) {
      const key = await readSigningKey(await keyFile(text), { env: { COSIGN_PASSWORD: password } });
      const payload = Buffer.from("payload");
      expect(isSignedBy(key.public, payload, signBytes(key, payload))).toBe(true);
    }
  });

  it.each(["ec", "rsa", "ed25519"] as const)("verify with %s", async (kind) => {
    const key = pair(kind);
    const read = await readVerifyingKey(await keyFile(pem(key.public)));
    const payload = Buffer.from("payload");
    const signature = sign(kind === "ed25519" ? null : "sha256", payload, key.private);
    expect(isSignedBy(read, payload, signature)).toBe(true);
    expect(isSignedBy(read, Buffer.from("another"), signature)).toBe(false);
  });

  const ed25519 = pem(pair("ed25519").private);
  const p384 = pem(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey);
  it.each([
    ["no key at all", "canary-not-a-key", /holds no key/],
    ["a damaged key", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n", /holds no key/],
    ["a public key", pem(pair("ec").public), /is a public key/],
    ["a key of another curve", p384, /of a kind that is not signed with/],
    ["a key that cosign hashes otherwise for", ed25519, /of a kind that is not signed with/],
  ])("to sign with are refused: %s", async (_name, text, says) => {
    const error = await failure(readSigningKey(await keyFile(text), { env: {} }));
    expect(error.code).toBe("usage");
    expect(error.message).toMatch(says);
    expect(JSON.stringify([error.message, error.why, error.hint])).not.toContain("canary");
  });

  it("to verify with are not asked for a password", async () => {
    const error = await failure(readVerifyingKey(join(fixtures, "cosign.key")));
    expect(error.hint).toMatch(/public key, such as cosign\.pub/);
  });

  it("that are not there are named", async () => {
    expect((await failure(readVerifyingKey("/nowhere/cosign.pub"))).message).toContain("/nowhere/cosign.pub");
  });
});
