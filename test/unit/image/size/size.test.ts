import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { LayerContent } from "../../../../src/image/size/layer-content.js";
import { readLayerFiles } from "../../../../src/image/size/layer-files.js";
import { partsOf } from "../../../../src/image/size/parts.js";
import { suggestionsFor } from "../../../../src/image/size/suggestions.js";

async function tarOf(files: Readonly<Record<string, string | number>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files))
    tar.entry({ name }, typeof content === "number" ? Buffer.alloc(content) : content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function* inPieces(bytes: Buffer, piece = 700): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

/** Large files are only said to be there: their bytes are of no interest. */
async function layer(files: Readonly<Record<string, string | number>>, form = (bytes: Buffer) => bytes) {
  const content = new LayerContent();
  const isLarge = ([, size]: [string, string | number]) => typeof size === "number" && size > 10_000;
  const entries = Object.entries(files);
  const small = Object.fromEntries(entries.filter((entry) => !isLarge(entry)));
  await readLayerFiles(inPieces(form(await tarOf(small))), (file) => content.take(file));
  for (const [path, size] of entries.filter(isLarge))
    await content.take({ path, size: Number(size), text: async () => "" });
  return content;
}

const site = "opt/venv/lib/python3.12/site-packages";
const status = (...names: string[]) =>
  names.map((name) => `Package: ${name}\nStatus: install ok installed\nInstalled-Size: 2000\n`).join("\n");

const files = {
  [`${site}/torch/lib/libtorch_cuda.so`]: 9_000_000,
  [`${site}/torch/tests/test_a.py`]: 3_000_000,
  [`${site}/torch-2.8.0.dist-info/RECORD`]: "torch/lib/libtorch_cuda.so,,\ntorch/tests/test_a.py,,\n",
  [`${site}/nvidia/cublas/lib/libcublas.so.12`]: 5_000_000,
  [`${site}/nvidia_cublas_cu12-12.8.4.1.dist-info/RECORD`]:
    "nvidia/cublas/lib/libcublas.so.12,,\n../../../bin/x,,\n",
  [`${site}/nvidia/cudnn/lib/libcudnn.so.9`]: 4_000_000,
  [`${site}/nvidia_cudnn_cu12-9.10.2.21.dist-info/RECORD`]: "nvidia/cudnn/lib/libcudnn.so.9,,\n",
  [`${site}/numpy.libs/libopenblas-0cf96a72.so`]: 2_500_000,
  [`${site}/scipy.libs/libopenblas-6bf3c4cd.so`]: 2_500_000,
  "opt/modelship/modelship_service/run.py": 1000,
  "app/model.py": 500,
  "app/model/net.onnx": 60_000_000,
  "usr/bin/gcc-12": 1_000_000,
  "var/lib/dpkg/status": status("libc6", "gcc", "libgomp1"),
};

async function parts(form?: (bytes: Buffer) => Buffer) {
  const base = await layer({ "usr/bin/python3": 100_000, "var/lib/dpkg/status": status("libc6") }, form);
  return partsOf([base, await layer(files, form)], { baseLayers: 1, files: "/app/model" });
}

describe("where the bytes of an image are", () => {
  it.each([
    ["plain", undefined],
    ["gzipped", (bytes: Buffer) => gzipSync(bytes)],
  ])("is told by what files belong to: %s", async (_, form) => {
    const found = await parts(form);
    const bytes = Object.fromEntries(found.parts.map((part) => [part.name, part.bytes]));
    expect(bytes).toMatchObject({ service: 1000, code: 500, "model files": 60_000_000 });
    expect(bytes.base).toBeGreaterThan(100_000);
    expect(bytes["system packages"]).toBeGreaterThan(1_000_000);
    expect(found.packages.slice(0, 3)).toEqual([
      { name: "torch", version: "2.8.0", bytes: expect.any(Number) },
      { name: "nvidia-cublas-cu12", version: "12.8.4.1", bytes: expect.any(Number) },
      { name: "nvidia-cudnn-cu12", version: "9.10.2.21", bytes: expect.any(Number) },
    ]);
    expect(found.system.map(({ name }) => name).sort()).toEqual(["gcc", "libgomp1"]);
  });

  it("says what would make it smaller, the most worthwhile first", async () => {
    const found = await parts();
    const suggestions = suggestionsFor({
      ...found,
      accelerator: "cpu",
      base: "python:3.12-slim-bookworm",
      profile: "default",
    });
    expect(suggestions.map(({ message }) => message)).toEqual([
      "The project computes on the CPU, and nvidia-cublas-cu12 and nvidia-cudnn-cu12 are for CUDA.",
      "The packages bring tests that a service does not need.",
      "libopenblas is there 2 times, with numpy and scipy.",
      "gcc is for compiling.",
      "The model is an ONNX graph with large weights.",
    ]);
    expect(suggestions[0]?.saves).toBeGreaterThan(9_000_000);
    const forCuda = suggestionsFor({
      ...found,
      accelerator: "cuda",
      base: "nvidia/cuda:12.8.1-devel-ubuntu24.04",
      profile: "edge",
    });
    expect(forCuda.map(({ message }) => message)).toContain("The base has CUDA's compiler.");
    expect(forCuda.map(({ message }) => message).join()).not.toMatch(/for CUDA\.|tests/);
  });

  it("knows that an image of one layer holds its base", async () => {
    const found = partsOf([await layer({ ...files, "usr/lib/libc.so": 4000 })], {
      baseLayers: 0,
      files: "/app/model",
    });
    const bytes = Object.fromEntries(found.parts.map((part) => [part.name, part.bytes]));
    expect(bytes["system packages"]).toBe(0);
    expect(bytes.base).toBeGreaterThan(1_000_000);
  });

  it("keeps its memory small, however many files there are", async () => {
    const many = new LayerContent();
    for (let at = 0; at < 60_000; at++) await many.take({ path: `x${at}/y`, size: 1, text: async () => "" });
    expect(many.folders.size).toBeLessThan(20_100);
    expect([...many.folders.values()].reduce((one, other) => one + other, 0)).toBe(60_000);
  });

  it.each([
    ["a broken tar", Buffer.from("x".repeat(2000))],
    ["a cut one", undefined],
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0])],
  ])("says that a layer cannot be read: %s", async (_, bytes) => {
    const content = bytes ?? (await tarOf({ a: 5000 })).subarray(0, 3000);
    await expect(readLayerFiles(inPieces(content), () => {})).rejects.toMatchObject({ code: "failed" });
  });
});
