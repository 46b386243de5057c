import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { attach, provenanceAttachment } from "../../../src/image/attest/attach.js";
import { provenanceStatement } from "../../../src/image/attest/provenance.js";
import { graftConfig } from "../../../src/image/graft/config.js";
import { graftManifest } from "../../../src/image/graft/manifest.js";
import { modelLayers } from "../../../src/image/model-layers.js";
import { prepareBuild } from "../../../src/image/prepare.js";
import { signImage } from "../../../src/image/sign.js";
import { type VerifyOptions, verifyImage } from "../../../src/image/verify.js";
import { packageVersion } from "../../../src/package.js";
import { RegistryClient } from "../../../src/registry/client.js";
import { bytesBlob } from "../../../src/registry/file-blob.js";
import { sendBlob } from "../../../src/registry/upload/send-blob.js";
import { silent } from "../../../src/reporter.js";
import { openDigests } from "../../../src/weights/digests.js";
import { openLayers } from "../../../src/weights/layer.js";
import { folderWith } from "../../setup/folder.js";
import { startStandIn } from "../../setup/stand-in/registry.js";

const repository = "acme/digits";
const layerType = "application/vnd.oci.image.layer.v1.tar";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";
const baseDigest = `sha256:${"b".repeat(64)}`;

interface Made {
  attested?: boolean;
  /** A layer on top of the weights. */
  over?: boolean;
  /** In Docker's schema, whose layers have no annotations. */
  docker?: boolean;
  /** Known digest of the base. */
  base?: string | undefined;
  signedBy?: { private: KeyObject; public: KeyObject };
}

/** A project, and its image in a registry as a push leaves it there. */
async function pushed(made: Made = {}) {
  const root = await folderWith({
    "modelship.yaml": "name: digits\nversion: 1.2.0\n",
    "model.py": "class Model: ...\n",
    "notes.txt": "notes\n",
    "requirements.txt": "numpy==2.1.0\n",
    "model/factor.txt": "2\n",
    "model/bias.txt": "1\n",
  });
  const cache = await folderWith({});
  const env = { XDG_CACHE_HOME: cache, DOCKER_CONFIG: cache };
  const server = await startStandIn();
  const client = new RegistryClient(server.host, { env, backoff: 1 });
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  const send = (text: string, mediaType: string) => {
    const blob = bytesBlob(Buffer.from(text), { title: "test", mediaType });
    return sendBlob(client, blob, { repository }).then(({ digest, size }) => ({ mediaType, digest, size }));
  };
  const prepared = await prepareBuild({ cwd: root, env, report: silent });
  const layers = await openLayers(modelLayers(prepared.content.model), await openDigests(env));
  const weights = await Promise.all(layers.map((layer) => layer.known()));
  const own = (await Promise.all(layers.map((layer) => layer.digestedFiles()))).flat();
  for (const layer of layers) await sendBlob(client, layer, { repository });
  const docker = "application/vnd.docker";
  const types = made.docker
    ? {
        manifest: `${docker}.distribution.manifest.v2+json`,
        config: `${docker}.container.image.v1+json`,
        layer: `${docker}.image.rootfs.diff.tar`,
      }
    : { manifest: manifestType, config: "application/vnd.oci.image.config.v1+json", layer: layerType };
  const code = await send("code", types.layer);
  const base = "base" in made ? made.base : baseDigest;
  const config = graftConfig(
    {
      architecture: "amd64",
      os: "linux",
      config: {
        Labels: {
          "dev.modelship.name": "digits",
          "dev.modelship.version": "1.2.0",
          ...(base !== undefined && { "org.opencontainers.image.base.digest": base }),
        },
      },
      rootfs: { type: "layers", diff_ids: [code.digest] },
    },
    weights,
    {},
  );
  const grafted = graftManifest(
    {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: code.digest, size: 1 },
      layers: [code],
    },
    config,
    weights,
  );
  let body = grafted.body;
  let configuration = config;
  if (made.over) {
    const over = await send("over", layerType);
    const document = JSON.parse(config.toString());
    document.rootfs.diff_ids.push(over.digest);
    configuration = Buffer.from(JSON.stringify(document));
    const manifest = JSON.parse(body.toString());
    manifest.layers.push(over);
    manifest.config = await send(configuration.toString(), manifest.config.mediaType);
    body = Buffer.from(JSON.stringify(manifest));
  }
  await send(configuration.toString(), grafted.config.mediaType);
  const subject = await client.putManifest({ repository, tag: "1.2.0" }, types.manifest, body);
  if (made.attested ?? true) {
    const statement = provenanceStatement({
      subject: { name: `${server.host}/${repository}`, digest: subject.digest },
      project: { name: "digits", version: "1.2.0", requirements: "requirements.txt", platform: undefined },
      tool: { version: packageVersion(), key: baseDigest },
      base: { reference: prepared.decision.reference, digest: base },
      revision: undefined,
      context: prepared.input.context,
      weights: own,
    });
    await attach(client, repository, subject, [provenanceAttachment(statement, made.signedBy)]);
  }
  const reference = `${server.host}/${repository}@${subject.digest}`;
  const verify = async (more: Partial<VerifyOptions> = {}) => {
    const found = await verifyImage({ cwd: root, env, report: silent, reference, ...more });
    return { ...found, by: new Map(found.checks.map((check) => [check.name, check])) };
  };
  const { blobs, manifests } = server.store.repository(repository);
  return { root, env, client, reference, subject, verify, blobs, manifests, code, weights, send };
}

async function keyPair() {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const folder = await folderWith({
    "my.key": pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    "my.pub": pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
  });
  return {
    private: pair.privateKey,
    public: pair.publicKey,
    key: join(folder, "my.key"),
    pub: join(folder, "my.pub"),
  };
}

const statuses = (found: { checks: readonly { name: string; status: string }[] }) =>
  Object.fromEntries(found.checks.map(({ name, status }) => [name, status]));

describe("an image that is what the project would give", () => {
  it("passes every check that can be made", async () => {
    const { verify, reference, subject } = await pushed();
    const found = await verify();
    expect(found).toMatchObject({ ok: true, reference, digest: subject.digest });
    expect(statuses(found)).toEqual({
      manifest: "ok",
      layers: "ok",
      signature: "skipped",
      provenance: "ok",
      project: "ok",
      weights: "ok",
      code: "ok",
      requirements: "ok",
      base: "ok",
    });
  });

  it("passes byte for byte, too", async () => {
    const { verify } = await pushed();
    expect((await verify({ deep: true })).by.get("layers")).toMatchObject({
      status: "ok",
      message: "2 layers: read and found whole",
    });
  });

  it("is looked at alone outside the project, and where that is asked for", async () => {
    const { verify } = await pushed();
    for (const more of [{ cwd: await folderWith({}) }, { imageOnly: true }]) {
      const found = await verify(more);
      expect(found.ok).toBe(true);
      expect(statuses(found)).toMatchObject({ manifest: "ok", layers: "ok", project: "skipped" });
      expect(found.by.has("weights")).toBe(false);
    }
  });

  it("passes with a warning where the base has no digest", async () => {
    const { verify } = await pushed({ base: undefined });
    const found = await verify();
    expect(found.ok).toBe(true);
    expect(found.by.get("base")?.status).toBe("warning");
  });
});

describe("a project that is not what the image was made from", () => {
  it.each([
    ["an edited file", "model.py", "changed\n", "app/model.py differs"],
    ["a new file", "extra.py", "new\n", "app/extra.py is not in the image"],
    ["a removed file", "notes.txt", undefined, "app/notes.txt is only in the image"],
  ])("fails by its code: %s", async (_name, file, text, says) => {
    const { verify, root } = await pushed();
    await (text === undefined ? rm(join(root, file)) : writeFile(join(root, file), text));
    const found = await verify();
    expect(found.ok).toBe(false);
    expect(found.by.get("code")).toMatchObject({ status: "failed", details: [says] });
    expect(statuses(found)).toMatchObject({ weights: "ok", requirements: "ok" });
  });

  it("fails by its requirements", async () => {
    const { verify, root } = await pushed();
    await writeFile(join(root, "requirements.txt"), "numpy==2.2.0\n");
    const found = await verify();
    expect(found.by.get("requirements")).toMatchObject({
      status: "failed",
      details: ["requirements/requirements.txt differs"],
    });
  });

  it.each([
    ["changed", "factor.txt", "3\n", "/app/model/factor.txt differs"],
    ["added", "more.txt", "3\n", "/app/model/more.txt is not in the image"],
    ["removed", "bias.txt", undefined, "/app/model/bias.txt is only in the image"],
  ])("fails by its weights: one was %s", async (_name, file, text, says) => {
    const { verify, root } = await pushed();
    const path = join(root, "model", file);
    await (text === undefined ? rm(path) : writeFile(path, text));
    const found = await verify();
    expect(found.ok).toBe(false);
    expect(found.by.get("weights")).toMatchObject({ status: "failed", details: [says] });
    expect(found.by.get("code")?.status).toBe("ok");
  });

  it("fails by its weights without provenance too", async () => {
    const { verify, root } = await pushed({ attested: false });
    await writeFile(join(root, "model/factor.txt"), "3\n");
    expect((await verify()).by.get("weights")?.details).toEqual(["/app/model/factor.txt differs"]);
  });

  it("fails by its weights where a Docker manifest names only some of them", async () => {
    const { verify, root } = await pushed({ docker: true });
    for (const file of ["factor.txt", "bias.txt"]) await writeFile(join(root, "model", file), "3\n");
    expect((await verify()).by.get("weights")?.details).toEqual([
      "/app/model/bias.txt differs",
      "/app/model/factor.txt differs",
    ]);
    const silent = await pushed({ docker: true, attested: false });
    expect((await silent.verify()).by.get("weights")?.status).toBe("ok");
    await writeFile(join(silent.root, "model/bias.txt"), "3\n");
    expect((await silent.verify()).by.get("weights")?.details).toEqual(["/app/model/bias.txt differs"]);
  });

  it("fails by its version and by its base", async () => {
    const { verify, root } = await pushed();
    const yaml = "name: digits\nversion: 1.3.0\nimage:\n  base: other.example/python:3\n";
    await writeFile(join(root, "modelship.yaml"), yaml);
    const found = await verify();
    expect(statuses(found)).toMatchObject({ project: "failed", base: "failed", weights: "ok" });
    expect(found.by.get("project")?.message).toBe("the image is digits 1.2.0, the project digits 1.3.0");
  });
});

describe("an image that was tampered with", () => {
  it("fails when something lies over the weights", async () => {
    const { verify } = await pushed({ over: true });
    expect((await verify()).by.get("weights")?.status).toBe("failed");
  });

  it("fails when a layer is gone, and says which", async () => {
    const { verify, blobs, code } = await pushed();
    blobs.delete(code.digest);
    const found = await verify();
    expect(found.by.get("layers")).toMatchObject({ status: "failed", details: [`${code.digest}: HTTP 404`] });
  });

  it("fails when a layer has another size", async () => {
    const { verify, blobs, code } = await pushed();
    blobs.set(code.digest, Buffer.from("codes"));
    expect((await verify()).by.get("layers")?.details).toEqual([`${code.digest}: 5 bytes instead of 4`]);
  });

  it("fails with --deep when a layer has other bytes of the same size", async () => {
    const { verify, blobs, code } = await pushed();
    blobs.set(code.digest, Buffer.from("evil"));
    expect((await verify()).ok).toBe(true);
    const found = await verify({ deep: true });
    expect(found.by.get("layers")).toMatchObject({ status: "failed" });
    expect(found.by.get("layers")?.details?.[0]).toContain(code.digest);
  });

  it("is refused when its manifest is another one", async () => {
    const { verify, manifests, subject } = await pushed();
    const known = manifests.get(subject.digest);
    const body = Buffer.from(known?.body.toString().replace("1.2.0", "6.6.6") ?? "");
    manifests.set(subject.digest, { mediaType: manifestType, body: Buffer.concat([body, Buffer.from(" ")]) });
    await expect(verify()).rejects.toThrow(/keeps another manifest/);
  });

  it("fails when nothing says what its code was built from", async () => {
    const { verify } = await pushed({ attested: false });
    const found = await verify();
    expect(found.ok).toBe(false);
    expect(statuses(found)).toMatchObject({ provenance: "failed", code: "skipped", weights: "ok" });
    expect((await verify({ imageOnly: true })).ok).toBe(true);
  });

  it("is not vouched for by a statement about another image, or by one that is none", async () => {
    const { verify, client, subject } = await pushed({ attested: false });
    const other = `sha256:${"7".repeat(64)}`;
    const statement = provenanceStatement({
      subject: { name: "x", digest: other },
      project: { name: "digits", version: "1.2.0", requirements: "requirements.txt", platform: undefined },
      tool: { version: "1", key: other },
      base: { reference: "python:3.12" },
      revision: undefined,
      context: [],
      weights: [],
    });
    const broken = { ...provenanceAttachment(statement), body: Buffer.from("{") };
    await attach(client, repository, subject, [provenanceAttachment(statement), broken]);
    expect((await verify()).by.get("provenance")?.status).toBe("failed");
  });
});

describe("with a key", () => {
  it("an unsigned image fails, a signed one passes, and with another key it fails", async () => {
    const { verify, reference, env } = await pushed();
    const [mine, other] = [await keyPair(), await keyPair()];
    expect((await verify({ key: mine.pub })).by.get("signature")?.message).toBe("the image is not signed");
    const signed = await signImage({ reference, key: mine.key, env, report: silent });
    expect(signed).toMatchObject({ reference, sent: true });
    const found = await verify({ key: mine.pub });
    expect(found.ok).toBe(true);
    expect(found.by.get("signature")?.status).toBe("ok");
    const wrong = await verify({ key: other.pub });
    expect(wrong.ok).toBe(false);
    expect(wrong.by.get("signature")?.message).toBe("1 signature, none of them with this key");
  });

  it("a provenance that the key did not sign is looked at twice", async () => {
    const mine = await keyPair();
    const unsigned = await pushed();
    expect((await unsigned.verify({ key: mine.pub })).by.get("provenance")?.status).toBe("warning");
    const signed = await pushed({ signedBy: mine });
    expect((await signed.verify({ key: mine.pub })).by.get("provenance")).toMatchObject({
      status: "ok",
      message: expect.stringContaining("signed with this key"),
    });
  });
});

it("looks at every platform of an index", async () => {
  const { verify, client, subject, send, reference } = await pushed({ attested: false });
  const config = await send(
    JSON.stringify({ architecture: "arm64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
    "application/vnd.oci.image.config.v1+json",
  );
  const second = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [] });
  const arm = await client.putManifest({ repository, tag: "arm" }, manifestType, second);
  const manifests = [
    { ...subject, platform: { os: "linux", architecture: "amd64" } },
    { ...arm, platform: { os: "linux", architecture: "arm64" } },
  ];
  const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
  const top = await client.putManifest({ repository, tag: "all" }, indexType, index);
  const found = await verify({ reference: reference.replace(/@.*/, `@${top.digest}`) });
  expect(found.by.get("manifest")?.message).toMatch(/2 images \(linux\/amd64, linux\/arm64\)/);
  expect(found.by.get("weights")).toMatchObject({
    status: "failed",
    message: "the image holds no model files",
  });
});
