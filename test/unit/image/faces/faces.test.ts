import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import type { Face, FaceInput } from "../../../../src/image/faces/face.js";
import { linkLayer } from "../../../../src/image/faces/link-layer.js";
import { modelPack } from "../../../../src/image/faces/model-pack.js";
import { modelcarImage, weightsImage } from "../../../../src/image/faces/weights-image.js";
import type { CodeImage, WeightLayer } from "../../../../src/image/graft/model.js";
import { digestOf } from "../../../../src/registry/manifest.js";
import { folderWith } from "../../../setup/folder.js";

const digest = (mark: string) => `sha256:${mark.repeat(64)}`;
const layers: WeightLayer[] = [
  {
    digest: digest("1"),
    size: 2048,
    files: [{ path: "/app/model/model.safetensors", size: 100, digest: digest("a") }],
  },
  {
    digest: digest("2"),
    size: 4096,
    files: [
      { path: "/app/model/tokenizer/merges.txt", size: 10, digest: digest("b") },
      { path: "/app/model/tokenizer.json", size: 20, digest: digest("c") },
    ],
  },
];
const input: FaceInput = {
  name: "digits",
  version: "1.2.0",
  created: "2026-01-31T12:00:00Z",
  platform: { os: "linux", architecture: "arm64", variant: "v8" },
  modelFolder: "/app/model",
  layers,
};

const docker = "application/vnd.docker";
const code: CodeImage = {
  manifest: {
    schemaVersion: 2,
    mediaType: `${docker}.distribution.manifest.v2+json`,
    config: { mediaType: `${docker}.container.image.v1+json`, digest: digest("9"), size: 9 },
    layers: ["d", "e", "f"].map((mark) => ({
      mediaType: `${docker}.image.rootfs.diff.tar.gzip`,
      digest: digest(mark),
      size: 5,
    })),
  },
  config: {
    architecture: "arm64",
    os: "linux",
    config: {
      Env: ["PATH=/opt/venv/bin:/bin", "MODELSHIP_PORT=8080"],
      Entrypoint: ["python"],
      User: "10001",
    },
    rootfs: { type: "layers", diff_ids: [digest("3"), digest("4"), digest("5")] },
    history: [
      { created_by: "base, first" },
      { created_by: "ENV A=b", empty_layer: true },
      { created_by: "base, second" },
      { created_by: "ENTRYPOINT", empty_layer: true },
      { created_by: "COPY app/" },
    ],
  },
};

function opened(face: Face) {
  const manifest = JSON.parse(face.manifest.toString());
  const config = JSON.parse(face.config.bytes.toString());
  return { manifest, config, digests: manifest.layers.map((layer: { digest: string }) => layer.digest) };
}

const faces: [string, () => Face][] = [
  ["weights", () => weightsImage(input)],
  ["modelcar", () => modelcarImage(input, code, { layers: 2, environment: ["PATH=/bin"] })],
  ["ModelPack", () => modelPack(input)],
];

describe.each(faces)("the %s face", (_name, make) => {
  it("has every weight layer, in order and as it is, and nothing large beside", () => {
    const face = make();
    const { digests } = opened(face);
    const own = [digest("1"), digest("2")];
    expect(digests.filter((one: string) => own.includes(one))).toEqual(own);
    expect(face.blobs.reduce((sum, { bytes }) => sum + bytes.length, face.config.bytes.length)).toBeLessThan(
      4096,
    );
  });

  it("is the same for the same weights, and names its configuration and blobs by their digests", () => {
    const face = make();
    expect(make()).toEqual(face);
    expect(face.digest).toBe(digestOf(face.manifest));
    const { manifest, digests } = opened(face);
    expect(manifest.config).toEqual({
      mediaType: face.config.mediaType,
      size: face.config.bytes.length,
      digest: digestOf(face.config.bytes),
    });
    expect(manifest.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    for (const { bytes } of face.blobs) expect(digests).toContain(digestOf(bytes));
  });
});

describe("images of weights", () => {
  it("hold the weights and the link, and their configuration fits", () => {
    const { manifest, config, digests } = opened(weightsImage(input));
    expect(digests).toHaveLength(3);
    expect(config).toMatchObject({
      os: "linux",
      architecture: "arm64",
      variant: "v8",
      created: input.created,
    });
    expect(config.rootfs.diff_ids).toEqual(digests);
    expect(config.history).toHaveLength(3);
    expect(config.config.Labels).toMatchObject({ "org.opencontainers.image.title": "digits" });
    expect(new Set(manifest.layers.map((layer: { mediaType: string }) => layer.mediaType))).toEqual(
      new Set(["application/vnd.oci.image.layer.v1.tar"]),
    );
  });

  it("stand on the base's layers as modelcars, in OCI's types, with the base's variables and no entry point", () => {
    const { manifest, config, digests } = opened(
      modelcarImage(input, code, { layers: 2, environment: ["PATH=/bin"] }),
    );
    expect(digests.slice(0, 4)).toEqual([digest("d"), digest("e"), digest("1"), digest("2")]);
    expect(manifest.layers[0].mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
    expect(config.rootfs.diff_ids.slice(0, 4)).toEqual([digest("3"), digest("4"), digest("1"), digest("2")]);
    expect(config.config.Env).toEqual(["PATH=/bin"]);
    expect(config.config).not.toHaveProperty("Entrypoint");
    expect(config.config).not.toHaveProperty("User");
    const steps = config.history.filter((step: { empty_layer?: boolean }) => !step.empty_layer);
    expect(steps).toHaveLength(config.rootfs.diff_ids.length);
    expect(JSON.stringify(config.history)).not.toContain("COPY app/");
  });

  it("need no link where the model is at /models already", () => {
    const face = weightsImage({ ...input, modelFolder: "/models" });
    expect(face.blobs).toEqual([]);
    expect(opened(face).digests).toEqual([digest("1"), digest("2")]);
  });
});

test("the link is one that tar unpacks, relative, so that it leads into a mounted volume too", async () => {
  const folder = await folderWith({});
  const archive = join(folder, "link.tar");
  writeFileSync(archive, linkLayer("/app/model") ?? "");
  const listing = execFileSync("tar", ["-tvf", archive], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC" },
  });
  expect(listing).toMatch(/^lrwxrwxrwx 0\/0 +0 1970-01-01 00:00 models -> app\/model\n$/);
});

test.each(["/", "/models/own", `/app/${"x".repeat(100)}`])("no link leads to %s", (folder) => {
  expect(() => linkLayer(folder)).toThrow(/cannot lead to/);
});

describe("the ModelPack artifact", () => {
  const { manifest, config } = opened(
    modelPack({ ...input, revision: "abc", source: "https://git.example/x" }),
  );

  it("is of the specification's types, its layers with the paths that are in them", () => {
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      artifactType: "application/vnd.cncf.model.manifest.v1+json",
      config: { mediaType: "application/vnd.cncf.model.config.v1+json" },
      layers: [
        {
          mediaType: "application/vnd.cncf.model.weight.v1.tar",
          annotations: { "org.cncf.model.filepath": "app/model/model.safetensors" },
        },
        { annotations: { "org.cncf.model.filepath": "app/model" } },
      ],
    });
  });

  // The rules of the specification's JSON schema, for what we write: no other keys, these types, diffIds in order.
  it("keeps to the schema of the configuration", () => {
    expect(Object.keys(config).sort()).toEqual(["config", "descriptor", "modelfs"]);
    const descriptorKeys = ["createdAt", "name", "revision", "sourceURL", "version"];
    expect(Object.keys(config.descriptor).sort()).toEqual(descriptorKeys);
    for (const key of descriptorKeys) expect(config.descriptor[key]).toEqual(expect.any(String));
    expect(config.descriptor.name.length).toBeGreaterThan(0);
    expect(new Date(config.descriptor.createdAt).toISOString()).toBe("2026-01-31T12:00:00.000Z");
    expect(config.config).toEqual({ format: "safetensors" });
    expect(config.modelfs).toEqual({ type: "layers", diffIds: [digest("1"), digest("2")] });
  });

  it("names no format where the weights disagree", () => {
    const mixed = layers.map((layer, at) => ({
      ...layer,
      files: layer.files.map((file) => ({ ...file, path: `${file.path}${at === 0 ? "" : ".onnx"}` })),
    }));
    expect(opened(modelPack({ ...input, layers: mixed })).config.config).toEqual({});
  });
});
