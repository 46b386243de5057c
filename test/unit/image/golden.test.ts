import { mkdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { planBuild } from "../../../src/image/build.js";
import { silent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";

/** One Dockerfile for each row of the table in docs/base-images.md. `npx vitest -u` writes them again. */
const table: readonly [name: string, yaml: string, requirements: string][] = [
  ["cpu", "", "numpy==2.2.0\n"],
  ["cpu-torch", "", "torch==2.8.0\ntorchvision==0.23.0\n"],
  ["cpu-edge", "image:\n  profile: edge\n", "numpy==2.2.0\n"],
  ["cuda-wheels", "accelerator: cuda\n", "torch==2.8.0\n"],
  ["cuda-other-torch", "accelerator: cuda\nimage:\n  cuda: '12.6'\n", "torch==2.8.0\n"],
  ["cuda-system", "accelerator: cuda\n", "cupy-cuda12x==13.6.0\n"],
  ["cuda-system-cudnn", "accelerator: cuda\n", "onnxruntime-gpu==1.22.0\n"],
  ["cuda-compiled", "accelerator: cuda\n", "llama-cpp-python==0.3.16\n"],
  ["cuda-wheels-compiled", "accelerator: cuda\n", "torch==2.8.0\nflash-attn==2.8.3\n"],
  ["cuda-devel", "accelerator: cuda\nimage:\n  cuda: 12.8-devel\n", "torch==2.8.0\n"],
];

async function planned(yaml: string, requirements: string) {
  const cwd = await folderWith({
    "modelship.yaml": `name: digits\n${yaml}`,
    "model.py": "class Model: ...\n",
    "requirements.txt": requirements,
    "model/weights.bin": "weights",
  });
  return planBuild({ cwd, env: {}, report: silent });
}

describe("the Dockerfile of", () => {
  it.each(table)(
    "%s",
    async (name, yaml, requirements) => {
      const golden = new URL(`golden/${name}.Dockerfile`, import.meta.url);
      await mkdir(new URL(".", golden), { recursive: true });
      const { dockerfile } = await planned(yaml, requirements);
      await expect(dockerfile).toMatchFileSnapshot(golden.pathname);
      expect(dockerfile).not.toMatch(/^# *syntax|<<|--link/m);
    },
    30_000,
  );
});

it("another decision is another key", async () => {
  const plans = await Promise.all(table.map(([, yaml, requirements]) => planned(yaml, requirements)));
  expect(new Set(plans.map(({ key }) => key)).size).toBe(table.length);
  const torch = "torch==2.8.0\n";
  const own = await planned("image:\n  torch_index: none\n", torch);
  expect((await planned("", torch)).key).not.toBe(own.key);
}, 60_000);
