import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage, removeImage, tagImage } from "../../src/docker/images.js";
import { pushImage } from "../../src/docker/push.js";
import { RegistryClient } from "../../src/registry/client.js";
import { bytesBlob } from "../../src/registry/file-blob.js";
import { sendBlob } from "../../src/registry/upload/send-blob.js";
import { modelship } from "../setup/cli.js";
import { networkFlags, testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";
import { heavyProject } from "./heavy-project.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";
const repository = "bases/python";
const base = `${registry}/${repository}:both`;
const platforms = ["linux/amd64", "linux/arm64"];

let engine: Engine;
let cache: string;
beforeAll(async () => {
  engine = await testEngine();
  cache = await mkdtemp(join(tmpdir(), "modelship-test-cache-"));
  await pushBase();
});
afterAll(async () => {
  await removeImage(engine, base, { force: true }).catch(() => false);
  await rm(cache, { recursive: true, force: true });
});

describe("an image for two platforms", () => {
  it("is pushed under one name, with the same weights, which are sent once", async () => {
    const { name, root, weights } = await heavyProject(engine, cache, 70_000_000);
    const reference = `${registry}/both/${name}`;
    const env = { XDG_CACHE_HOME: cache };
    const push = async () => {
      const said = await modelship(
        ["push", reference, "--platform", platforms.join(), "--base", base, "--json", ...networkFlags],
        { cwd: root, env },
      );
      expect(said.code, said.stderr).toBe(0);
      return JSON.parse(said.stdout);
    };
    const pushed = await push();
    const there = `${reference}@${pushed.digest}`;
    const inspect = async (platform: string) => {
      const said = await modelship(["inspect", there, "--platform", platform, "--json"], { cwd: root, env });
      expect(said.code, said.stderr).toBe(0);
      return JSON.parse(said.stdout);
    };
    const [amd64, arm64] = [await inspect("linux/amd64"), await inspect("linux/arm64")];
    expect(amd64).toMatchObject({ digest: pushed.digest, platform: "linux/amd64", platforms });
    expect(arm64).toMatchObject({ digest: pushed.digest, platform: "linux/arm64", platforms });
    const weightLayers = (found: typeof amd64) =>
      found.layers.filter((layer: { weights: boolean }) => layer.weights);
    expect(weightLayers(arm64)).toHaveLength(2);
    expect(weightLayers(arm64)).toEqual(weightLayers(amd64));
    expect(arm64.labels["dev.modelship.key"]).not.toBe(amd64.labels["dev.modelship.key"]);
    expect(arm64.attached.map((one: { kind: string }) => one.kind).sort()).toEqual(["provenance", "sbom"]);

    expect(await push()).toMatchObject({ digest: pushed.digest, bytesSent: 0 });
    const verified = await modelship(["verify", there, "--base", base], { cwd: root, env });
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const to = await folderWith({});
    const pulled = await modelship(["pull", there, "--platform", "linux/arm64", "--to", to], {
      cwd: root,
      env,
    });
    expect(pulled.code, pulled.stderr).toBe(0);
    expect((await readFile(join(to, "weights.bin"))).equals(await readFile(weights))).toBe(true);
  }, 300_000);

  it("cannot be one tag of an engine", async () => {
    const { root } = await heavyProject(engine, cache, 10);
    const said = await modelship(["build", "--platform", platforms.join(), "--base", base], { cwd: root });
    expect(said.code).toBe(2);
    expect(said.stderr).toContain(`modelship push --platform ${platforms.join()}`);
  });
});

/** The local base image, and once more as if it were for arm64: its programs run here all the same. */
async function pushBase(): Promise<void> {
  const local = await inspectImage(engine, process.env.MODELSHIP_IMAGE_BASE ?? "modelship.local/python:3.11");
  await tagImage(engine, local?.id ?? "", base);
  await pushImage(engine, base, undefined, () => {});
  await removeImage(engine, base);
  const client = new RegistryClient(registry, { env: process.env });
  try {
    const { body, ...amd64 } = await client.manifest({ repository, tag: "both" });
    const manifest = JSON.parse(body.toString());
    const answer = await fetch(`http://${registry}/v2/${repository}/blobs/${manifest.config.digest}`);
    const config = Buffer.from(JSON.stringify({ ...JSON.parse(await answer.text()), architecture: "arm64" }));
    const blob = bytesBlob(config, { title: "Configuration", mediaType: manifest.config.mediaType });
    const { digest, size } = await sendBlob(client, blob, { repository });
    const other = Buffer.from(JSON.stringify({ ...manifest, config: { ...manifest.config, digest, size } }));
    const arm64 = await client.putManifest({ repository, tag: "arm64" }, amd64.mediaType, other);
    const isDocker = amd64.mediaType.includes("docker");
    const mediaType = isDocker
      ? "application/vnd.docker.distribution.manifest.list.v2+json"
      : "application/vnd.oci.image.index.v1+json";
    const entry = (descriptor: object, architecture: string) => ({
      ...descriptor,
      platform: { os: "linux", architecture },
    });
    const index = {
      schemaVersion: 2,
      mediaType,
      manifests: [entry(amd64, "amd64"), entry(arm64, "arm64")],
    };
    await client.putManifest({ repository, tag: "both" }, mediaType, JSON.stringify(index));
  } finally {
    client.close();
  }
}
