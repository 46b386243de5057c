import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, request as forward } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { build } from "../../src/docker/build.js";
import { connect, type Engine } from "../../src/docker/client.js";
import { type ImageFacts, inspectImage, removeImage, tagImage } from "../../src/docker/images.js";
import { UserError } from "../../src/errors.js";
import {
  type ExportedImage,
  type ExportOptions,
  exportImage,
  exportManifest,
} from "../../src/image/export.js";
import type { Blob } from "../../src/registry/blob.js";
import { silent } from "../../src/reporter.js";
import { folderWith } from "../setup/folder.js";
import { base, requestOf, testEngine, textFile } from "./engine.js";

let engine: Engine;
/** The same engine, said to be on another machine: it is not asked to come to our loopback. */
let distant: Engine;
beforeAll(async () => {
  engine = await testEngine();
  distant = { ...engine, endpoint: { host: "ssh://builder", source: "the test" } };
});

/** For tests that do not begin with nothing: the base is compressed once for all of them. */
let warm: string;
beforeAll(async () => {
  warm = await mkdtemp(join(tmpdir(), "modelship-test-"));
  return () => rm(warm, { recursive: true, force: true });
});

/** An image of two small layers on the base, the second another one for each text. */
async function smallImage(text: string = randomBytes(8).toString("hex")): Promise<ImageFacts> {
  const tag = `modelship-test-export:${randomBytes(6).toString("hex")}`;
  const dockerfile = `FROM ${base}\nCOPY fixed /fixed\nCOPY text /text\n`;
  const files = [textFile("fixed", "the same in all of these images\n"), textFile("text", text)];
  const request = requestOf(dockerfile, { files, tags: [tag] });
  const { id } = await build(engine, request, () => {});
  onTestFinished(async () => {
    await removeImage(engine, tag, { force: true });
  });
  const image = await inspectImage(engine, id);
  if (!image) throw new Error("the image was not built");
  return image;
}

async function exported(image: ImageFacts, options: Partial<ExportOptions> & { from?: Engine } = {}) {
  const told: string[] = [];
  const result = await exportImage(options.from ?? engine, image, {
    report: silent,
    ...options,
    spool: options.spool ?? warm,
    has: options.has ?? (async () => undefined),
    onLayer: (layer) => {
      told.push(String(layer.digest));
      options.onLayer?.(layer);
    },
  });
  return { ...result, told };
}

async function digests(layer: Blob): Promise<{ packed: string; unpacked: string }> {
  const [packed, unpacked] = [createHash("sha256"), createHash("sha256")];
  const seen = async function* () {
    for await (const chunk of layer.open()) {
      packed.update(chunk);
      yield Buffer.from(chunk);
    }
  };
  if (layer.mediaType.endsWith("gzip")) await pipeline(Readable.from(seen()), createGunzip(), unpacked);
  else await pipeline(Readable.from(seen()), unpacked);
  return { packed: `sha256:${packed.digest("hex")}`, unpacked: `sha256:${unpacked.digest("hex")}` };
}

/** Every layer is what the manifest and the configuration say that it is, and the manifest is of one family. */
async function expectWhole(image: ImageFacts, { config, manifest, layers }: ExportedImage): Promise<void> {
  expect(config.rootfs.diff_ids).toEqual(image.layers);
  expect(config.config?.Labels ?? {}).toEqual(image.labels);
  expect(layers.map((layer) => layer.digest)).toEqual(manifest.layers.map((layer) => layer.digest));
  for (const [index, layer] of layers.entries()) {
    expect(layer).toMatchObject({ size: manifest.layers[index]?.size });
    const { packed, unpacked } = await digests(layer);
    expect(packed).toBe(layer.digest);
    expect(unpacked).toBe(config.rootfs.diff_ids[index]);
  }
  const types = [
    manifest.mediaType,
    manifest.config.mediaType,
    ...manifest.layers.map((layer) => layer.mediaType),
  ];
  expect(new Set(types.map((type) => type.split(".")[1])).size).toBe(1);
}

/** The engine as it is from behind a virtual machine's socket: everything works, but pushes to loopback are refused. */
async function refusingPushes(): Promise<{ engine: Engine; readonly pushes: number }> {
  const { host } = engine.endpoint;
  const socketPath = host.slice("unix://".length);
  let pushes = 0;
  const server = createServer((request, response) => {
    const name = /\/images\/(127\.0\.0\.1:\d+)\/.*\/push/.exec(decodeURIComponent(request.url ?? ""))?.[1];
    if (name !== undefined) {
      pushes++;
      const message = `Get "http://${name}/v2/": dial tcp ${name}: connect: connection refused`;
      return response.end(`${JSON.stringify({ errorDetail: { message }, error: message })}\n`);
    }
    const { method, url, headers } = request;
    const onward = forward({ socketPath, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    return request.pipe(onward);
  });
  const folder = await folderWith({});
  const path = join(folder, "engine.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const through = await connect({ host: `unix://${path}`, source: "the test" });
  return {
    engine: through,
    get pushes() {
      return pushes;
    },
  };
}

async function namesOf(image: ImageFacts): Promise<readonly string[]> {
  return (await inspectImage(engine, image.id))?.repoTags ?? [];
}

describe.each([
  ["by a push to our loopback", () => engine],
  ["by its archive", () => distant],
])("an image exported %s", (_how, from) => {
  it("is whole, and each layer is told of once, no configuration among them", async () => {
    const image = await smallImage();
    const spool = await folderWith({});
    const result = await exported(image, { from: from(), spool });
    await expectWhole(image, result);
    const digests = new Set(result.manifest.layers.map(({ digest }) => digest));
    expect([...result.told].sort()).toEqual([...digests].sort());
    expect(await namesOf(image)).toEqual(image.repoTags);
    expect((await readdir(spool)).filter((name) => name.startsWith("part-"))).toEqual([]);

    // What an earlier export left is used, and told of again.
    const before = await readdir(spool);
    const again = await exported(image, { from: from(), spool });
    expect(again.manifest).toEqual(result.manifest);
    expect([...again.told].sort()).toEqual([...digests].sort());
    await expectWhole(image, again);
    expect(await readdir(spool)).toEqual(before);
  });

  it("leaves out what the target has", async () => {
    const first = await exported(await smallImage(), { from: from() });
    const known = new Map(first.manifest.layers.map((layer) => [layer.digest, layer.size]));
    const has = async (digest: string) => known.get(digest);
    const image = await smallImage();
    const same = await exported(image, { from: from(), has });
    const last = same.manifest.layers.at(-1);
    expect(same.manifest.layers.slice(0, -1)).toEqual(first.manifest.layers.slice(0, -1));
    expect(same.layers.map((layer) => layer.digest)).toEqual([last?.digest]);
    expect(same.told).toEqual([last?.digest]);
    known.set(last?.digest ?? "", last?.size ?? 0);
    expect(await exported(image, { from: from(), has })).toMatchObject({
      told: [],
      layers: [],
      manifest: same.manifest,
      config: same.config,
    });
  });

  it("ends when it is told to, and leaves neither a name nor half a file", async () => {
    const image = await smallImage();
    const stop = new AbortController();
    const options = { from: from(), signal: stop.signal, onLayer: () => stop.abort() };
    await expect(exported(image, options)).rejects.toMatchObject({ code: "interrupted" });
    expect(await namesOf(image)).toEqual(image.repoTags);
    expect((await readdir(warm)).filter((name) => name.startsWith("part-"))).toEqual([]);
  });

  it("fails with what asking the target failed with", async () => {
    const image = await smallImage();
    // An engine asks about layers that it knows a registry's digest of: those that it has exported before.
    await exported(image, { from: from() });
    const broken = new UserError("registry_failed", "The registry cannot be reached.");
    const ended = exported(image, { from: from(), has: () => Promise.reject(broken) });
    await expect(ended).rejects.toBe(broken);
    expect(await namesOf(image)).toEqual(image.repoTags);
  });
});

it("keeps an image that has no name", async () => {
  const named = await smallImage();
  const second = await smallImage();
  const [name = ""] = named.repoTags;
  await tagImage(engine, second.id, name); // takes the first one's only name
  const image = await inspectImage(engine, named.id);
  if (!image) throw new Error("the engine did not keep the image that lost its name");
  await expectWhole(image, await exported(image));
  const after = await inspectImage(engine, image.id);
  expect(after?.id).toBe(image.id);
  for (const tag of after?.repoTags ?? []) await removeImage(engine, tag);
  await removeImage(engine, image.id, { force: true });
});

it("takes back the name that a killed export left", async () => {
  const image = await smallImage();
  const left = "127.0.0.1:61999/modelship/code:4194305-0123456789abcdef";
  await tagImage(engine, image.id, left);
  await exported((await inspectImage(engine, image.id)) ?? image, { has: async () => 1 });
  expect(await namesOf(image)).toEqual(image.repoTags);
});

it("falls back to the archive where the engine's loopback turns out not to be ours", async () => {
  const image = await smallImage();
  const refused = await refusingPushes();
  const result = await exported(image, { from: refused.engine });
  await expectWhole(image, result);
  expect(refused.pushes).toBe(1);
  expect(await namesOf(image)).toEqual(image.repoTags);
});

it("gives the manifest alone, exactly, where the store has it", async () => {
  const image = await smallImage();
  const manifest = await exportManifest(engine, image, { report: silent });
  if (engine.info.store !== "containerd") return expect(manifest).toBeUndefined();
  const { config, manifest: whole } = await exported(image);
  expect(manifest).toEqual({ config, manifest: whole });
  expect(await exportManifest(distant, image, { report: silent })).toEqual(manifest);
  expect(await namesOf(image)).toEqual(image.repoTags);
});
