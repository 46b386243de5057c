import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { graftConfig } from "../../../src/image/graft/config.js";
import { graftIndex, type ImageIndex } from "../../../src/image/graft/index.js";
import { graftManifest } from "../../../src/image/graft/manifest.js";
import type {
  CodeImage,
  ConfigDocument,
  ImageManifest,
  WeightLayer,
} from "../../../src/image/graft/model.js";

const sha = (text: string | Buffer) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

const single: WeightLayer = {
  digest: sha("layer of one"),
  size: 70_000_000,
  files: [{ path: "/app/model/model.safetensors", size: 69_998_000, digest: sha("model") }],
};
const several: WeightLayer = {
  digest: sha("layer of three"),
  size: 9_216,
  files: [
    { path: "/app/model/config.json", size: 10, digest: sha("config") },
    { path: "/app/model/tokenizer/merges.txt", size: 20, digest: sha("merges") },
    { path: "/app/model/tokenizer/vocab.json", size: 30, digest: sha("vocab") },
  ],
};

const config: ConfigDocument = {
  created: "2026-01-02T03:04:05Z",
  architecture: "amd64",
  os: "linux",
  config: { User: "10001:10001", Labels: { a: "1", b: "2" }, Entrypoint: ["/bin/true"] },
  rootfs: { type: "layers", diff_ids: [sha("base"), sha("code")] },
  history: [
    { created: "2026-01-01T00:00:00Z", created_by: "COPY base" },
    { created: "2026-01-01T00:00:01Z", created_by: "ENV a=b", empty_layer: true },
    { created: "2026-01-01T00:00:02Z", created_by: "COPY code" },
  ],
  "moby.buildkit.cache.v0": "kept",
};

function read(bytes: Buffer): ConfigDocument {
  return JSON.parse(bytes.toString());
}

describe("the configuration of a grafted image", () => {
  it("gains a diff id and a history item for every weight layer", () => {
    const grafted = read(graftConfig(config, [single, several], {}));
    expect(grafted.rootfs).toEqual({
      type: "layers",
      diff_ids: [sha("base"), sha("code"), single.digest, several.digest],
    });
    expect(grafted.history?.slice(0, 3)).toEqual(config.history);
    expect(grafted.history?.slice(3)).toEqual([
      {
        created: "1970-01-01T00:00:00Z",
        created_by: `modelship weights /app/model/model.safetensors`,
        comment: "model file",
      },
      {
        created: "1970-01-01T00:00:00Z",
        created_by: `modelship weights /app/model/config.json and 2 more`,
        comment: "model files",
      },
    ]);
  });

  it("merges labels and keeps everything else, in the document's order", () => {
    const bytes = graftConfig(config, [single], { b: "3", c: "4" });
    const grafted = read(bytes);
    expect(grafted.config).toEqual({ ...config.config, Labels: { a: "1", b: "3", c: "4" } });
    expect(Object.keys(grafted)).toEqual(Object.keys(config));
    expect(grafted["moby.buildkit.cache.v0"]).toBe("kept");
    expect(graftConfig(JSON.parse(JSON.stringify(config)), [single], { b: "3", c: "4" })).toEqual(bytes);
  });

  it.each([
    ["absent", undefined],
    ["too short", [{ created_by: "one" }]],
    ["too long", [{}, {}, {}]],
  ])("mends a history that is %s, so that every layer has an item", (_, history) => {
    const { history: _dropped, ...rest } = config;
    const grafted = read(graftConfig(history ? { ...rest, history } : rest, [single], {}));
    const layers = grafted.history?.filter((item) => !item.empty_layer);
    expect(layers).toHaveLength(grafted.rootfs.diff_ids.length);
    expect(layers?.at(-1)?.created_by).toContain("model.safetensors");
  });

  it("takes a configuration without labels, as some builders write it", () => {
    const bare: ConfigDocument = { ...config, config: { Labels: null } };
    expect(read(graftConfig(bare, [single], { a: "1" })).config).toEqual({ Labels: { a: "1" } });
  });
});

const docker = "application/vnd.docker";
const oci = "application/vnd.oci.image";
const dockerManifest: ImageManifest = {
  schemaVersion: 2,
  mediaType: `${docker}.distribution.manifest.v2+json`,
  config: { mediaType: `${docker}.container.image.v1+json`, size: 5, digest: sha("old") },
  layers: [
    { mediaType: `${docker}.image.rootfs.diff.tar.gzip`, size: 1, digest: sha("1") },
    { mediaType: `${docker}.image.rootfs.diff.tar`, size: 2, digest: sha("2") },
  ],
};
const ociManifest: ImageManifest = {
  schemaVersion: 2,
  mediaType: `${oci}.manifest.v1+json`,
  config: { mediaType: `${oci}.config.v1+json`, size: 5, digest: sha("old") },
  layers: [{ mediaType: `${oci}.layer.v1.tar+gzip`, size: 1, digest: sha("1") }],
  annotations: { theirs: "kept" },
};

describe("the manifest of a grafted image", () => {
  it("stays OCI, with the new configuration, and says which files the layers hold", () => {
    const bytes = graftConfig(config, [single, several], {});
    const {
      mediaType,
      body,
      digest,
      config: descriptor,
    } = graftManifest(ociManifest, bytes, [single, several]);
    const manifest: ImageManifest = JSON.parse(body.toString());
    expect(mediaType).toBe(ociManifest.mediaType);
    expect(digest).toBe(sha(body));
    expect(descriptor).toEqual({
      mediaType: `${oci}.config.v1+json`,
      size: bytes.length,
      digest: sha(bytes),
    });
    expect(manifest.config).toEqual(descriptor);
    expect(manifest.annotations).toEqual({ theirs: "kept", "dev.modelship.weights": "baked" });
    expect(manifest.layers).toEqual([
      ...ociManifest.layers,
      {
        mediaType: `${oci}.layer.v1.tar`,
        size: single.size,
        digest: single.digest,
        annotations: {
          "org.opencontainers.image.title": "model.safetensors",
          "org.cncf.model.filepath": "/app/model/model.safetensors",
          "dev.modelship.weights.files": JSON.stringify(single.files),
          "dev.modelship.weights.count": "1",
        },
      },
      {
        mediaType: `${oci}.layer.v1.tar`,
        size: several.size,
        digest: several.digest,
        annotations: {
          "org.opencontainers.image.title": "config.json and 2 more",
          "org.cncf.model.filepath": "/app/model",
          "dev.modelship.weights.files": JSON.stringify(several.files),
          "dev.modelship.weights.count": "3",
        },
      },
    ]);
  });

  it("stays Docker's where all of it is Docker's", () => {
    const { mediaType, body } = graftManifest(dockerManifest, Buffer.from("{}"), [single]);
    const manifest: ImageManifest = JSON.parse(body.toString());
    expect(mediaType).toBe(dockerManifest.mediaType);
    expect(manifest.layers).toEqual([
      ...dockerManifest.layers,
      { mediaType: `${docker}.image.rootfs.diff.tar`, size: single.size, digest: single.digest },
    ]);
    expect(body.toString()).not.toContain("vnd.oci");
    expect(manifest).not.toHaveProperty("annotations");
  });

  it("becomes all OCI where both families are in it, with the same blobs", () => {
    const mixed = { ...ociManifest, layers: [...ociManifest.layers, ...dockerManifest.layers] };
    const { mediaType, body } = graftManifest(mixed, Buffer.from("{}"), [single]);
    const manifest: ImageManifest = JSON.parse(body.toString());
    expect(mediaType).toBe(ociManifest.mediaType);
    expect(body.toString()).not.toContain("vnd.docker");
    expect(manifest.layers.map((layer) => layer.mediaType)).toEqual([
      `${oci}.layer.v1.tar+gzip`,
      `${oci}.layer.v1.tar+gzip`,
      `${oci}.layer.v1.tar`,
      `${oci}.layer.v1.tar`,
    ]);
    expect(manifest.layers.slice(0, 3).map((layer) => layer.digest)).toEqual(
      mixed.layers.map((layer) => layer.digest),
    );
  });

  it("names as many of ten thousand files as there is room for, and how many there are", () => {
    const files = Array.from({ length: 10_000 }, (_, at) => ({
      path: `/app/model/${"é".repeat(40)}/${at}.bin`,
      size: at,
      digest: sha(String(at)),
    }));
    const { body } = graftManifest(ociManifest, Buffer.from("{}"), [{ ...several, files }]);
    const manifest: ImageManifest = JSON.parse(body.toString());
    const annotations = manifest.layers.at(-1)?.annotations ?? {};
    const named = JSON.parse(annotations["dev.modelship.weights.files"] ?? "");
    expect(named.length).toBeGreaterThan(100);
    expect(named).toEqual(files.slice(0, named.length));
    expect(annotations["dev.modelship.weights.count"]).toBe("10000");
    expect(annotations["org.opencontainers.image.title"]).toBe("0.bin and 9999 more");
    expect(body.length).toBeLessThan(100_000);
  });

  it("is refused above 4 MiB", () => {
    const large = { ...ociManifest, annotations: { note: "x".repeat(4 * 1024 * 1024) } };
    expect(() => graftManifest(large, Buffer.from("{}"), [single])).toThrow(/larger than registries take/);
  });
});

describe("a grafted index", () => {
  const amd: CodeImage = { config, manifest: ociManifest };
  const arm: CodeImage = { config: { ...config, architecture: "arm64" }, manifest: ociManifest };
  const entry = (architecture: string) => ({
    mediaType: ociManifest.mediaType,
    size: 500,
    digest: sha(`image ${architecture}`),
    platform: { os: "linux", architecture },
  });
  const attestation = (digest: string) => ({
    mediaType: ociManifest.mediaType,
    size: 100,
    digest: sha(`about ${digest}`),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": digest,
    },
  });
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: `${oci}.index.v1+json`,
    manifests: [entry("amd64"), entry("arm64"), attestation(sha("image amd64"))],
    annotations: { theirs: "kept" },
  };
  const images = new Map([
    [sha("image amd64"), amd],
    [sha("image arm64"), arm],
  ]);

  it("has the same weight layers on every platform", () => {
    const grafted = graftIndex(index, images, [single], () => ({ weights: "baked" }));
    const document: ImageIndex = JSON.parse(grafted.body.toString());
    expect(grafted.digest).toBe(sha(grafted.body));
    expect(grafted.mediaType).toBe(index.mediaType);
    expect(document.annotations).toEqual({ theirs: "kept" });
    expect(document.manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
    for (const [at, image] of grafted.images.entries()) {
      const manifest: ImageManifest = JSON.parse(image.manifest.body.toString());
      expect(manifest.layers.at(-1)?.digest).toBe(single.digest);
      expect(manifest.config.digest).toBe(sha(image.config));
      expect(document.manifests[at]).toMatchObject({
        digest: sha(image.manifest.body),
        size: image.manifest.body.length,
        mediaType: image.manifest.mediaType,
      });
    }
    expect(grafted.images.map(({ config }) => read(config).architecture)).toEqual(["amd64", "arm64"]);
    expect(grafted.warnings).toEqual([]);
  });

  it("drops attestations of images that have changed, and keeps those of others", () => {
    const other = attestation(sha("some other image"));
    const { body } = graftIndex(
      { ...index, manifests: [...index.manifests, other] },
      images,
      [single],
      () => ({}),
    );
    const document: ImageIndex = JSON.parse(body.toString());
    expect(document.manifests.filter(({ annotations }) => annotations)).toEqual([other]);
  });

  it("leaves out a platform that it does not know, and says so", () => {
    const manifests = [...index.manifests, entry("riscv64"), attestation(sha("image riscv64"))];
    const { body, warnings } = graftIndex({ ...index, manifests }, images, [single], () => ({}));
    const document: ImageIndex = JSON.parse(body.toString());
    expect(document.manifests.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
    expect(warnings).toEqual(["linux/riscv64 is left out of the index: its image is not known."]);
  });

  it("stays a manifest list where all is Docker's, and becomes an index where an image had to become OCI", () => {
    const list: ImageIndex = {
      ...index,
      mediaType: `${docker}.distribution.manifest.list.v2+json`,
      manifests: [entry("amd64"), entry("arm64")].map((one) => ({
        ...one,
        mediaType: dockerManifest.mediaType,
      })),
    };
    const pure = new Map(
      [...images].map(([digest, image]) => [digest, { ...image, manifest: dockerManifest }]),
    );
    expect(graftIndex(list, pure, [single], () => ({})).mediaType).toBe(list.mediaType);
    const mixed = new Map(pure).set(sha("image arm64"), arm);
    expect(graftIndex(list, mixed, [single], () => ({})).mediaType).toBe(index.mediaType);
  });

  it("is refused when none of its platforms is known", () => {
    expect(() => graftIndex(index, new Map(), [single], () => ({}))).toThrow(/names no image/);
  });
});
