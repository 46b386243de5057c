import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { expect, it, onTestFinished } from "vitest";
import { connect, type Engine } from "../../../src/docker/client.js";
import type { ImageFacts } from "../../../src/docker/images.js";
import { type ExportOptions, exportImage } from "../../../src/image/export.js";
import type { Blob } from "../../../src/registry/blob.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { silent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";
import { fakeEngine, info, json } from "../docker/fake-engine.js";

/** Files of an archive, in order; a text is a link to that. */
type Files = readonly (readonly [name: string, content: Buffer | string])[];

const hex = (bytes: Buffer) => digestOf(bytes).slice("sha256:".length);
const jsonBytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const blob = (bytes: Buffer) => [`blobs/sha256/${hex(bytes)}`, bytes] as const;

async function archive(files: Files): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of files) {
    if (typeof content === "string") tar.entry({ name, type: "symlink", linkname: content });
    else tar.entry({ name }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An engine on another machine, which has one image and gives it away as this archive. */
async function engineWith(saved: Buffer, store: "classic" | "containerd" = "classic"): Promise<Engine> {
  const status = store === "containerd" ? [["driver-type", "io.containerd.snapshotter.v1"]] : [];
  const fake = await fakeEngine({
    "/images/get": (_request, response) => response.end(saved),
    "/info": store === "containerd" ? json({ Driver: "overlayfs", DriverStatus: status }) : info,
  });
  onTestFinished(() => fake.close());
  const engine = await connect({ host: fake.host, source: "the test" });
  return { ...engine, endpoint: { host: "tcp://builder:2376", source: "the test" } };
}

const image: ImageFacts = {
  id: digestOf(Buffer.from("image")),
  repoTags: ["digits:1"],
  repoDigests: [],
  size: 1,
  labels: {},
  env: {},
  platform: "linux/arm64/v8",
  created: "",
  layers: [],
  config: {
    user: "",
    workingDir: "",
    entrypoint: [],
    cmd: [],
    exposedPorts: [],
    volumes: [],
    stopSignal: undefined,
    hasHealthcheck: false,
  },
};

async function exported(engine: Engine, options: Partial<ExportOptions> = {}) {
  const told: string[] = [];
  const spool = options.spool ?? (await folderWith({}));
  const result = await exportImage(engine, image, {
    has: async () => undefined,
    report: silent,
    ...options,
    spool,
    onLayer: (layer) => told.push(String(layer.digest)),
  });
  return { ...result, told, spool };
}

async function bytesOf(layer: Blob | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (layer) for await (const chunk of layer.open()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const configOf = (layers: readonly Buffer[], more: object = {}) =>
  jsonBytes({
    architecture: "arm64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((one) => digestOf(one)) },
    ...more,
  });

/** Some megabytes that compress, and a small one. */
const plain = [Buffer.concat([Buffer.alloc(3_000_000, "layer "), randomBytes(500_000)]), Buffer.alloc(1024)];

function dockerArchive(
  layers: readonly Buffer[] = plain,
  config = configOf(layers),
  others: Files = [],
): Files {
  const ids = layers.map((layer) => hex(Buffer.concat([Buffer.from("v1"), layer])));
  return [
    ...layers.flatMap((layer, index) => [
      [`${ids[index]}/VERSION`, Buffer.from("1.0")] as const,
      [`${ids[index]}/json`, jsonBytes({ id: ids[index] })] as const,
      [`${ids[index]}/layer.tar`, layer] as const,
    ]),
    ...others,
    [`${hex(config)}.json`, config],
    [
      "manifest.json",
      jsonBytes([{ Config: `${hex(config)}.json`, Layers: ids.map((id) => `${id}/layer.tar`) }]),
    ],
    ["repositories", jsonBytes({})],
  ];
}

const oci = "application/vnd.oci.image";

function layout(
  layers: readonly Buffer[],
  config: Buffer,
  types: { manifest?: string; layer?: string; platform?: object } = {},
): Files {
  const manifestType = types.manifest ?? `${oci}.manifest.v1+json`;
  const describe = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = jsonBytes({
    schemaVersion: 2,
    mediaType: manifestType,
    config: describe(config, `${oci}.config.v1+json`),
    layers: layers.map((layer) => describe(layer, types.layer ?? `${oci}.layer.v1.tar+gzip`)),
  });
  const attestation = jsonBytes({ schemaVersion: 2, config: describe(config, "x"), layers: [] });
  const index = jsonBytes({
    schemaVersion: 2,
    manifests: [
      {
        ...describe(attestation, manifestType),
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      },
      {
        ...describe(Buffer.from("not here"), manifestType),
        platform: { os: "linux", architecture: "amd64" },
      },
      {
        ...describe(manifest, manifestType),
        platform: types.platform ?? { os: "linux", architecture: "arm64" },
      },
    ],
  });
  return [
    ["blobs/", Buffer.alloc(0)],
    ...[...layers, config, manifest, attestation, index].map(blob),
    ["index.json", jsonBytes({ schemaVersion: 2, manifests: [describe(index, `${oci}.index.v1+json`)] })],
    ["manifest.json", jsonBytes([{ Config: `blobs/sha256/${hex(config)}`, Layers: [] }])],
    ["oci-layout", jsonBytes({ imageLayoutVersion: "1.0.0" })],
  ];
}

it("compresses the layers of a classic archive, and writes the manifest that it lacks", async () => {
  const config = configOf(plain, { "x-unknown": [1] });
  const {
    manifest,
    config: read,
    layers,
    told,
    spool,
  } = await exported(await engineWith(await archive(dockerArchive(plain, config))));
  expect(read).toEqual(JSON.parse(config.toString()));
  expect(manifest.config).toEqual({
    mediaType: `${oci}.config.v1+json`,
    digest: digestOf(config),
    size: config.length,
  });
  expect(manifest.layers.map((layer) => layer.mediaType)).toEqual(
    plain.map(() => `${oci}.layer.v1.tar+gzip`),
  );
  expect(layers.map((layer) => layer.digest)).toEqual(manifest.layers.map((layer) => layer.digest));
  expect(told).toEqual(layers.map((layer) => layer.digest));
  for (const [index, layer] of layers.entries()) {
    const bytes = await bytesOf(layer);
    expect(digestOf(bytes)).toBe(layer.digest);
    expect(bytes.length).toBe(layer.size);
    expect(gunzipSync(bytes).equals(plain[index] ?? Buffer.alloc(0))).toBe(true);
  }
  expect((await readdir(spool)).filter((name) => name.startsWith("part-"))).toEqual([]);
});

it("takes each layer once where the image has it twice, as engines do with a link", async () => {
  const [layer = Buffer.alloc(0)] = plain;
  const others: Files = [[`${hex(Buffer.from("second"))}/layer.tar`, `../${hex(layer)}/layer.tar`]];
  const files = dockerArchive([layer], configOf([layer, layer]), others);
  const { manifest, layers, told } = await exported(await engineWith(await archive(files)));
  expect(manifest.layers.length).toBe(2);
  expect(new Set(manifest.layers.map(({ digest }) => digest)).size).toBe(1);
  expect(layers.length).toBe(2);
  expect(told.length).toBe(1);
});

it("does not compress again what it compressed before, and leaves out what the target has", async () => {
  const engine = await engineWith(await archive(dockerArchive()));
  const first = await exported(engine);
  const { spool } = first;
  const again = await exported(engine, { spool });
  expect(again.manifest).toEqual(first.manifest);
  expect(again.told).toEqual(first.told);
  const known = new Map(first.manifest.layers.map(({ digest, size }) => [digest, size]));
  const has = async (digest: string) => known.get(digest);
  expect(await exported(engine, { spool, has })).toMatchObject({
    manifest: first.manifest,
    layers: [],
    told: [],
  });
});

it("notices when a layer is another one than that of its name before", async () => {
  const files = dockerArchive();
  const first = await exported(await engineWith(await archive(files)));
  const other = Buffer.from(plain[1] ?? "");
  other[0] = 1;
  const [, second = other] = plain;
  const forged = files.map(([name, content]) => [name, content === second ? other : content] as const);
  const ended = exported(await engineWith(await archive(forged)), { spool: first.spool });
  await expect(ended).rejects.toMatchObject({ code: "failed", why: expect.stringContaining("another one") });
});

it("takes the layers of an OCI layout as they are, from the image of the platform", async () => {
  const layers = plain.map((layer) => gzipSync(layer));
  const config = configOf(plain);
  const engine = await engineWith(await archive(layout(layers, config)), "containerd");
  const result = await exported(engine);
  expect(result.config).toEqual(JSON.parse(config.toString()));
  expect(result.manifest.layers.map(({ digest }) => digest)).toEqual(layers.map((layer) => digestOf(layer)));
  expect(result.told).toEqual(layers.map((layer) => digestOf(layer)));
  for (const [index, layer] of result.layers.entries())
    expect((await bytesOf(layer)).equals(layers[index] ?? Buffer.alloc(0))).toBe(true);
  const known = await exported(engine, {
    has: async (digest) => (digest === digestOf(layers[0] ?? Buffer.alloc(0)) ? 1 : undefined),
  });
  expect(known.told).toEqual([digestOf(layers[1] ?? Buffer.alloc(0))]);
});

it("compresses the plain layers of a layout from a store that keeps them unpacked, and only there", async () => {
  const files = await archive(layout(plain, configOf(plain), { layer: `${oci}.layer.v1.tar` }));
  const classic = await exported(await engineWith(files));
  expect(classic.manifest.layers.map(({ mediaType }) => mediaType)).toEqual(
    plain.map(() => `${oci}.layer.v1.tar+gzip`),
  );
  expect(gunzipSync(await bytesOf(classic.layers[0])).equals(plain[0] ?? Buffer.alloc(0))).toBe(true);
  const containerd = await exported(await engineWith(files, "containerd"));
  expect(containerd.manifest.layers.map(({ digest }) => digest)).toEqual(
    plain.map((layer) => digestOf(layer)),
  );
});

it("makes one family of a manifest that mixes two", async () => {
  const layers = [gzipSync(plain[1] ?? "")];
  const layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  const files = layout(layers, configOf([plain[1] ?? Buffer.alloc(0)]), { layer });
  const { manifest } = await exported(await engineWith(await archive(files), "containerd"));
  expect(manifest.mediaType).toBe(`${oci}.manifest.v1+json`);
  expect(manifest.layers[0]?.mediaType).toBe(`${oci}.layer.v1.tar+gzip`);
});

it("takes a tar that begins like JSON for a layer", async () => {
  const odd = Buffer.alloc(2048);
  odd.write("{name");
  const files = layout([odd], configOf([odd]), { layer: `${oci}.layer.v1.tar` });
  const { layers } = await exported(await engineWith(await archive(files)));
  expect(gunzipSync(await bytesOf(layers[0])).equals(odd)).toBe(true);
});

const small = [Buffer.alloc(1024)];
const replaced = (files: Files, find: RegExp, content: Buffer): Files =>
  files.map(([name, old]) => [name, find.test(name) ? content : old]);
const without = (files: Files, find: RegExp): Files => files.filter(([name]) => !find.test(name));
const goodConfig = configOf(small);
const packed = small.map((layer) => gzipSync(layer));

it.each<[string, Files, "classic" | "containerd"]>([
  ["no manifest", without(dockerArchive(small), /^manifest/), "classic"],
  [
    "a manifest that is no list",
    replaced(dockerArchive(small), /^manifest/, jsonBytes({ Config: 1 })),
    "classic",
  ],
  ["a manifest that is no JSON", replaced(dockerArchive(small), /^manifest/, Buffer.from("{")), "classic"],
  [
    "a configuration outside of the archive",
    replaced(dockerArchive(small), /^manifest/, jsonBytes([{ Config: "../../etc/passwd" }])),
    "classic",
  ],
  ["a layer that is not there", without(dockerArchive(small), /layer\.tar$/), "classic"],
  ["a layer too many", dockerArchive(small, configOf([...small, Buffer.from("x")])), "classic"],
  [
    "a forged configuration",
    replaced(dockerArchive(small), new RegExp(hex(goodConfig)), jsonBytes({})),
    "classic",
  ],
  [
    "a configuration without layers",
    dockerArchive(small, jsonBytes({ architecture: "a", os: "b" })),
    "classic",
  ],
  [
    "a huge configuration",
    replaced(dockerArchive(small), new RegExp(hex(goodConfig)), Buffer.alloc(5_000_000, " ")),
    "classic",
  ],
  [
    "a forged blob",
    replaced(layout(packed, goodConfig), new RegExp(hex(packed[0] ?? goodConfig)), gzipSync("x")),
    "containerd",
  ],
  [
    "a forged plain blob",
    replaced(layout(small, goodConfig), new RegExp(hex(small[0] ?? goodConfig)), Buffer.alloc(512)),
    "classic",
  ],
  ["an index that leads to nothing", without(layout(packed, goodConfig), /^blobs/), "containerd"],
  [
    "a manifest of no known shape",
    replaced(layout(packed, goodConfig), /^index/, jsonBytes({ schemaVersion: 2, layers: [{}] })),
    "containerd",
  ],
])("refuses an archive with %s", async (_what, files, store) => {
  const spool = await folderWith({});
  const ended = exported(await engineWith(await archive(files), store), { spool });
  await expect(ended).rejects.toMatchObject({
    code: "failed",
    message: "The image cannot be read.",
  });
  expect((await readdir(spool)).filter((name) => name.startsWith("part-"))).toEqual([]);
});

it("refuses an archive that is cut short, or none at all", async () => {
  const whole = await archive(dockerArchive());
  for (const bytes of [whole.subarray(0, 1_000_000), randomBytes(4096), Buffer.alloc(0)]) {
    const spool = await folderWith({});
    const ended = exported(await engineWith(bytes), { spool });
    await expect(ended).rejects.toMatchObject({
      code: "failed",
      message: "The image cannot be read.",
    });
    expect((await readdir(spool)).filter((name) => name.startsWith("part-"))).toEqual([]);
  }
});

it("takes no file by a name that leads out of the archive", async () => {
  const spool = await folderWith({});
  const others: Files = [
    ["../outside", Buffer.from("x")],
    [`blobs/sha256/../../${"0".repeat(64)}`, Buffer.from("x")],
    ["/etc/shadow", Buffer.from("x")],
    [`${"0".repeat(64)}/layer.tar`, "/etc/passwd"],
  ];
  const { layers } = await exported(
    await engineWith(await archive(dockerArchive(small, goodConfig, others))),
    { spool },
  );
  expect(layers.length).toBe(1);
  expect((await readdir(spool)).sort()).toEqual(
    [String(layers[0]?.digest).slice(7), "compressed.json"].sort(),
  );
});
