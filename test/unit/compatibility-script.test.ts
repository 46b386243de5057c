import { describe, expect, it } from "vitest";
// @ts-expect-error: a script, in plain JavaScript
import * as script from "../../scripts/compatibility.mjs";

const {
  cudaOf,
  driversOf,
  newestOfEachMinor,
  patchesOf,
  releasesOf,
  requiresDist,
  torchVariantsOf,
  wheelsOf,
} = script;

describe("what refresh-compatibility reads", () => {
  it("the drivers of NVIDIA's release notes, of each minor version the oldest", () => {
    const page =
      "<td>CUDA 13.0 Update 2</td><td>&gt;=580.95.05</td><td>N/A</td><td>CUDA 13.0 GA</td><td>&gt;=580.65.06</td>" +
      "<td>CUDA 12.8 GA</td><td>&gt;=570.26</td><td>&gt;=570.65</td>";
    expect(driversOf(page)).toEqual({ "13.0": "580.65.06", "12.8": "570.26" });
  });

  it("PyTorch's release matrix", () => {
    const page = `| PyTorch version | Python | C++ | Stable CUDA | Experimental CUDA |
| --- | --- | --- | --- | --- |
| 2.13 | >=3.10 | C++20 | CUDA 12.6 (CUDNN 9.10.2.21), CUDA 13.0 | CUDA 13.2 (CUDNN 9.20.0.48) |
| 2.5 | >=3.9 | C++17 | CUDA 11.8, CUDA 12.1, CUDA 12.4, CUDNN 9.1.0.70  | None |`;
    expect(torchVariantsOf(page)).toEqual({
      "2.13": ["12.6", "13.0", "13.2"],
      "2.5": ["11.8", "12.1", "12.4"],
    });
  });

  it.each([
    [
      ["nvidia-cuda-runtime-cu12==12.8.90; platform_system == 'Linux'", "nvidia-cudnn-cu12==9.10.2.21; x"],
      "12.8",
      "9.10",
    ],
    [["cuda-toolkit[cublas,cudart]==13.2.2; x", "nvidia-cudnn-cu13==9.26.0.51; x"], "13.2", "9.26"],
    [['nvidia-cuda-runtime~=13.0; extra == "cuda"', 'nvidia-cudnn-cu13~=9.0; extra == "cudnn"'], "13", "9"],
    [
      [
        'nvidia-cuda-runtime-cu12<13.0,>=12.5.82; extra == "and-cuda"',
        "nvidia-cudnn-cu12<10.0,>=9.3.0.75; x",
      ],
      "12.5",
      "9.3",
    ],
    [["numpy>=2"], undefined, undefined],
  ])("the CUDA of a wheel: %s", (requires, cuda, cudnn) => {
    expect(cudaOf(requires)).toEqual({ cuda, cudnn });
  });

  it("the files of an index", () => {
    const file = (filename: string, yanked = false) => ({ filename, yanked });
    const releases = releasesOf([
      file("torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl"),
      file("torch-2.8.1-cp313-cp313-manylinux_2_28_aarch64.whl"),
      file("torch-2.8.1-cp39-none-macosx_11_0_arm64.whl"),
      file("torch-2.9.0rc1-cp312-cp312-manylinux_2_28_x86_64.whl"),
      file("torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64.whl", true),
      file("torch-1.9.0-cp39-cp39-manylinux1_x86_64.whl"),
    ]);
    expect(newestOfEachMinor(releases, "2.0")).toEqual(["2.8.1"]);
    expect(wheelsOf(releases["2.8.1"])).toEqual({ python: ["3.13"], platforms: ["linux/arm64"] });
    expect(patchesOf(releases, "2.8.1")).toEqual([releases["2.8.1"], releases["2.8.0"]]);
  });

  it("the requirements of a wheel's metadata", () => {
    const text = "Metadata-Version: 2.4\nRequires-Dist: a>=1\nName: x\n\nRequires-Dist: not this\n";
    expect(requiresDist(text)).toEqual(["a>=1"]);
  });
});
