import { describe, expect, it } from "vitest";
import { parseCudaChoice } from "../../../src/image/accelerator/choice.js";
import { readCompatibility } from "../../../src/image/accelerator/compatibility.js";
import { readRequired } from "../../../src/image/accelerator/requirement.js";
import { type BaseInput, decideBase } from "../../../src/image/base.js";
import { folderWith } from "../../setup/folder.js";

const data = await readCompatibility("/", null);

function decide(requirements: string, more: Partial<Omit<BaseInput, "cuda">> & { cuda?: string } = {}) {
  const { cuda = "auto", ...rest } = more;
  return decideBase({
    python: "3.12",
    required: readRequired("r.txt", new Map([["r.txt", requirements]])),
    hashed: false,
    accelerator: "cpu",
    platform: undefined,
    cuda: parseCudaChoice(cuda),
    base: undefined,
    torchIndex: "auto",
    ownIndex: undefined,
    onnx: false,
    data,
    ...rest,
  });
}

const gpu = (requirements: string, more: Parameters<typeof decide>[1] = {}) =>
  decide(requirements, { accelerator: "cuda", ...more });

describe("the base for the CPU", () => {
  it("is the slim image of the project's Python", () => {
    expect(decide("numpy", { python: "3.11" })).toMatchObject({
      reference: "python:3.11-slim-bookworm",
      notes: [],
    });
    expect(decide("numpy").torch).toBeUndefined();
  });

  it("takes PyTorch, and what has to match it, from the index for the CPU alone, and goes on without it", () => {
    const { torch } = decide("torch==2.8.0\ntorchvision==0.23.0 ; python_version > '3'\nnumpy\n");
    expect(torch).toEqual({
      index: "https://download.pytorch.org/whl/cpu",
      packages: ["torch==2.8.0", "torchvision==0.23.0 ; python_version > '3'"],
      made: "the CPU",
      optional: true,
    });
    expect(decide("sentence-transformers").torch?.packages).toEqual(["torch"]);
    expect(decide("transformers[torch]").torch?.packages).toEqual(["torch"]);
    expect(decide("transformers").torch).toBeUndefined();
  });

  it("asks only the index that somebody has named, and says what that means", () => {
    const { torch, notes } = decide("torch", { ownIndex: "pypi.example" });
    expect(torch).toBeUndefined();
    expect(notes[0]).toContain("PyTorch comes from pypi.example");
    const named = decide("torch", { ownIndex: "pypi.example", torchIndex: "https://pypi.example/torch-cpu" });
    expect(named.torch).toMatchObject({ index: "https://pypi.example/torch-cpu", optional: false });
    expect(decide("torch", { torchIndex: "none" })).toMatchObject({ notes: [] });
  });

  it("leaves a lock as it is, and says what it brings", () => {
    const locked = decide("torch==2.8.0\nnvidia-cublas-cu12==12.8.4.1\nnvidia-cudnn-cu12==9.10.2.21\n", {
      hashed: true,
    });
    expect(locked.torch).toBeUndefined();
    expect(locked.notes[0]).toContain("torch==2.8.0 and 2 packages of CUDA");
    expect(decide("torch==2.8.0+cpu", { hashed: true }).notes).toEqual([]);
  });

  it("needs no index where the usual wheels have no CUDA", () => {
    expect(decide("torch==2.8.0", { platform: "linux/arm64" }).torch).toBeUndefined();
    expect(decide("torch==2.12.0", { platform: "linux/arm64" }).torch).toBeDefined();
  });

  it("says when packages for CUDA are in the way", () => {
    expect(decide("onnxruntime-gpu==1.22.0").notes[0]).toMatch(/^onnxruntime-gpu is for CUDA/);
  });
});

describe("the base for CUDA", () => {
  it.each([
    ["torch==2.8.0", "12.8", "525.60.13"],
    ["torch==2.12.1", "13.0", "580.65.06"],
    ["torch==2.8.0+cu126", "12.6", "525.60.13"],
    ["onnxruntime-gpu[cuda,cudnn]==1.22.0", "12.8", "525.60.13"],
    ["tensorflow[and-cuda]==2.20.0", undefined, undefined],
    ["jax[cuda13]", "13.0", "580.65.06"],
    ["vllm==0.11.0\ntorch==2.8.0", "12.8", "525.60.13"],
    ["torch==2.8.0\nonnxruntime-gpu==1.22.0", "12.8", "525.60.13"],
    ["onnxruntime-gpu==1.22.0\nnvidia-cuda-runtime-cu12\nnvidia-cudnn-cu12", "12.8", "525.60.13"],
  ])("is slim where wheels bring it: %s", (requirements, version, driver) => {
    const { reference, reason, cuda, python } = gpu(requirements);
    expect(reference).toBe("python:3.12-slim-bookworm");
    expect(reason).toMatch(/^the wheels of .*so a CUDA base would only add gigabytes/);
    expect(python).toBeUndefined();
    expect(cuda?.in).toBe("wheels");
    if (version) expect(cuda).toMatchObject({ version, driver });
  });

  it.each([
    ["onnxruntime-gpu==1.22.0", "auto", "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04", undefined],
    ["onnxruntime-gpu==1.29.0", "auto", "nvidia/cuda:13.0.3-cudnn-runtime-ubuntu24.04", undefined],
    ["onnxruntime-gpu==1.18.1", "auto", "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04", undefined],
    ["onnxruntime-gpu==1.22.0", "12.6", "nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04", undefined],
    ["tensorflow==2.17.1", "auto", "nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04", undefined],
    ["cupy-cuda12x==13.6.0", "auto", "nvidia/cuda:12.8.1-runtime-ubuntu24.04", undefined],
    ["tensorrt", "auto", "nvidia/cuda:12.8.1-runtime-ubuntu24.04", undefined],
    ["pycuda", "auto", "nvidia/cuda:12.8.1-devel-ubuntu24.04", undefined],
    [
      "llama-cpp-python",
      "auto",
      "nvidia/cuda:12.8.1-runtime-ubuntu24.04",
      "nvidia/cuda:12.8.1-devel-ubuntu24.04",
    ],
    ["torch==2.8.0", "runtime", "nvidia/cuda:12.8.1-runtime-ubuntu24.04", undefined],
    ["torch==2.8.0", "12.6-base", "nvidia/cuda:12.6.3-base-ubuntu24.04", undefined],
  ])(
    "is NVIDIA's where a CUDA of the system is needed or asked for: %s, --cuda %s",
    (requirements, cuda, reference, builder) => {
      const made = gpu(requirements, { cuda });
      expect(made.reference).toBe(reference);
      expect(made.builder).toBe(builder);
      expect(made.python).toBe("python:3.12-slim-bookworm");
      expect(made.cuda?.in).toBe("image");
    },
  );

  it("compiles in an image with nvcc, of which nothing stays where wheels bring the rest", () => {
    const made = gpu("torch==2.8.0\nflash-attn==2.8.3");
    expect(made.reference).toBe("python:3.12-slim-bookworm");
    expect(made.builder).toBe("nvidia/cuda:12.8.1-devel-ubuntu24.04");
  });

  it("takes PyTorch for another CUDA from the index of that CUDA, and fails without it", () => {
    expect(gpu("torch==2.8.0", { cuda: "12.6" }).torch).toEqual({
      index: "https://download.pytorch.org/whl/cu126",
      packages: ["torch==2.8.0"],
      made: "CUDA 12.6",
      optional: false,
    });
    expect(gpu("torch==2.8.0", { cuda: "12.8" }).torch).toBeUndefined();
  });

  it("stays the user's where one is named", () => {
    const base = { reference: "registry.example/cuda-python:1", namedBy: "--base" };
    expect(gpu("onnxruntime-gpu==1.22.0", { base })).toMatchObject({
      reference: base.reference,
      reason: "named by --base",
      cuda: { in: "image", version: "12.8" },
    });
    expect(() => gpu("torch", { base, cuda: "devel" })).toThrow(/is the base image/);
  });

  it("knows no more than it knows", () => {
    const made = gpu("some-private-package");
    expect(made.reason).toBe("nothing in the requirements is known to need a CUDA of the system");
    expect(made.cuda).toEqual({ in: "unknown" });
  });
});

describe("what cannot be is refused, with the nearest that can", () => {
  it.each([
    [
      "torch==2.8.0",
      { cuda: "12.4" },
      "torch 2.8.0 is not made for CUDA 12.4.",
      /--cuda 12\.6, or torch 2\.6\.0/,
    ],
    [
      "torch==2.3.1",
      { python: "3.13" },
      "torch 2.3.1 has no wheels for Python 3.13.",
      /python: "3\.12".*torch 2\.5\.1/,
    ],
    [
      "torch==2.15.0",
      { python: "3.10" },
      "torch 2.15.0 has no wheels for Python 3.10.",
      /python: "3\.11".*torch 2\.14\.1/,
    ],
    [
      "tensorflow==2.20.0",
      { cuda: "13.0" },
      "tensorflow 2.20.0 is made for CUDA 12.5, not 13.0.",
      /--cuda 12\.9/,
    ],
    [
      "onnxruntime-gpu==1.22.0",
      { cuda: "13.0" },
      "onnxruntime-gpu 1.22.0 is made for CUDA 12, not 13.0.",
      /onnxruntime-gpu 1\.31\.1/,
    ],
    [
      "onnxruntime-gpu==1.22.0",
      { cuda: "none" },
      /needs a CUDA of the system/,
      /onnxruntime-gpu\[cuda,cudnn\]/,
    ],
    ["onnxruntime-gpu==1.22.0", { cuda: "base" }, /too little/, /--cuda runtime/],
    [
      "onnxruntime-gpu==1.22.0",
      { platform: "linux/arm64" },
      /no wheels for linux\/arm64/,
      /onnxruntime-gpu 1\.29\.0/,
    ],
    ["torch==2.8.0", { platform: "linux/arm64" }, /no CUDA on linux\/arm64/, /torch 2\.11\.0 or later/],
    ["torch==2.8.0", { cuda: "12.7" }, "CUDA 12.7 is not known.", /--cuda 12\.8/],
    ["torch==2.8.0+cpu", {}, /has no CUDA/, /torch==2\.8\.0/],
    ["jax==0.8.0", {}, /as it is required has no CUDA/, /jax\[cuda13\]/],
    ["onnxruntime==1.22.0", { onnx: true }, /onnxruntime has no CUDA/, /onnxruntime-gpu\[cuda,cudnn\]/],
    ["tensorflow-cpu==2.20.0", {}, /tensorflow-cpu has no CUDA/, /tensorflow\[and-cuda\]/],
    ["cupy-cuda11x\nonnxruntime-gpu==1.22.0", {}, /cupy-cuda11x needs CUDA 11/, /same CUDA/],
  ] as const)("%s with %j", (requirements, more, message, hint) => {
    expect(() => gpu(requirements, more)).toThrow(
      expect.objectContaining({
        code: "incompatible",
        message: typeof message === "string" ? message : expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    );
  });

  it("is refused on the CPU, too, where there are no wheels; what is not pinned is left to the installer", () => {
    expect(() => decide("tensorflow==2.19.1", { python: "3.13" })).toThrow(/no wheels for Python 3.13/);
    expect(decide("tensorflow", { python: "3.13" }).reference).toBe("python:3.13-slim-bookworm");
    expect(decide("torch==9.9.9").reference).toBe("python:3.12-slim-bookworm");
  });

  it("is CUDA for a project of the CPU", () => {
    expect(() => decide("torch", { cuda: "12.8" })).toThrow(/computes on the CPU/);
    expect(decide("torch", { cuda: "none" }).reference).toBe("python:3.12-slim-bookworm");
  });
});

describe("the facts", () => {
  it("have a source and a date each", () => {
    expect(Object.keys(data.sources).length).toBeGreaterThan(5);
    for (const { url, read } of Object.values(data.sources)) {
      expect(url).toMatch(/^https:\/\//);
      expect(read).toMatch(/^\d{4}-\d\d-\d\d$/);
    }
    for (const release of data.packages.torch?.releases ?? [])
      for (const version of [...(release.variants ?? []), release.cuda ?? ""])
        expect(data.cuda).toHaveProperty([version]);
  });

  it("can be replaced in part by a file of the project", async () => {
    const mine = {
      cuda: { "12.8": { image: "12.8.2" } },
      packages: { torch: { releases: [{ version: "2.8.0", cuda: "12.9", python: ["3.12"] }] } },
    };
    const root = await folderWith({
      "cuda.json": JSON.stringify(mine),
      "bad.json": '{"cuda": {"x": 1}}',
      "no.json": "{",
    });
    const own = await readCompatibility(root, "cuda.json");
    expect(gpu("onnxruntime-gpu==1.22.0", { data: own }).reference).toBe(
      "nvidia/cuda:12.8.2-cudnn-runtime-ubuntu24.04",
    );
    expect(gpu("torch==2.8.0", { data: own }).cuda?.version).toBe("12.9");
    expect(gpu("torch==2.7.1", { data: own }).cuda?.version).toBe("12.6");
    await expect(readCompatibility(root, "bad.json")).rejects.toMatchObject({ code: "project_file" });
    await expect(readCompatibility(root, "no.json")).rejects.toMatchObject({ code: "project_file" });
    await expect(readCompatibility(root, "absent.json")).rejects.toMatchObject({ code: "project_file" });
  });
});
