import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examineGpu } from "../../../src/doctor/gpu.js";
import { folderWith } from "../../setup/folder.js";

/** Programs that answer as NVIDIA's do, on a PATH of their own. No GPU is asked, and no engine answers. */
async function examined(programs: Record<string, string>, project: Record<string, string> = {}) {
  const bin = await folderWith(programs);
  for (const name of Object.keys(programs)) await chmod(join(bin, name), 0o755);
  const files = Object.keys(project).length > 0 ? { "model.py": "", "model/w.bin": "w", ...project } : {};
  const cwd = await folderWith(files);
  const env = { PATH: `${bin}:/usr/bin:/bin`, DOCKER_HOST: "unix:///nowhere/docker.sock" };
  const checks = await examineGpu({ cwd, env });
  return Object.fromEntries(checks.map((one) => [one.name, one]));
}

const smi = (...rows: string[]) => `#!/bin/sh
case "$1" in
  --query-gpu=index,driver_version,compute_cap,name) printf '%s\\n' ${rows.map((row) => `'${row}'`).join(" ")} ;;
  *) exit 2 ;;
esac
`;

const ctk = `#!/bin/sh
case "$*" in
  --version) printf 'NVIDIA Container Toolkit CLI version 1.17.8\\ncommit: f202b80a9b9d0db00d9b1d73c0128c8962c55f4d\\n' ;;
  "cdi list") echo 'time="2026-11-27T10:00:00Z" level=info msg="Found 2 CDI devices"' >&2; printf 'nvidia.com/gpu=0\\nnvidia.com/gpu=all\\n' ;;
  *) exit 1 ;;
esac
`;

const torch = (version: string) => ({
  "modelship.yaml": "name: digits\naccelerator: cuda\n",
  "requirements.txt": `torch==${version}\n`,
});

describe("doctor --gpu", () => {
  it("says plainly that there is no GPU", async () => {
    const { driver, capability, toolkit, engine, devices, image } = await examined({}, torch("2.8.0"));
    expect(driver).toMatchObject({
      status: "failed",
      message: "no NVIDIA driver: there is no nvidia-smi",
      exitCode: 1,
    });
    expect(capability?.status).toBe("skipped");
    expect(toolkit?.status).toBe("failed");
    expect(engine).toMatchObject({ status: "failed", exitCode: 3 });
    expect(devices?.status).toBe("skipped");
    expect(image).toMatchObject({
      status: "ok",
      message:
        "python:3.12-slim-bookworm with CUDA 12.8 in its wheels: driver 525.60.13 or newer, compute capability 5.0 to 12.0",
    });
  });

  it("finds driver, capability, toolkit and devices good enough", async () => {
    const programs = { "nvidia-smi": smi("0, 535.104.05, 8.0, NVIDIA A100-SXM4-40GB"), "nvidia-ctk": ctk };
    const { driver, capability, toolkit, devices } = await examined(programs, torch("2.8.0"));
    expect(driver).toMatchObject({
      status: "ok",
      message: "535.104.05, 1 GPU; the image needs 525.60.13 or newer",
    });
    expect(capability?.message).toBe("0: NVIDIA A100-SXM4-40GB, 8.0; CUDA 12.8 has code for 5.0 to 12.0");
    expect(toolkit).toMatchObject({ status: "ok", message: "NVIDIA Container Toolkit 1.17.8" });
    expect(devices).toMatchObject({ status: "ok", message: "nvidia.com/gpu=0, nvidia.com/gpu=all" });
  });

  it("finds a driver too old for the CUDA of the wheels, and a GPU too old for it", async () => {
    const { driver, capability } = await examined(
      { "nvidia-smi": smi("0, 535.104.05, 6.1, NVIDIA GeForce GTX 1080") },
      torch("2.12.1"),
    );
    expect(driver).toMatchObject({
      status: "failed",
      message: "535.104.05 is too old for CUDA 13.0, which needs 580.65.06 or newer",
    });
    expect(capability?.status).toBe("failed");
  });

  it("passes on what a broken driver says", async () => {
    const mismatch =
      "#!/bin/sh\necho 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n";
    const { driver } = await examined({ "nvidia-smi": mismatch });
    expect(driver).toMatchObject({
      status: "failed",
      message: "Failed to initialize NVML: Driver/library version mismatch",
    });
  });

  it("does without the compute capability of an old driver", async () => {
    const old = `#!/bin/sh
case "$1" in
  *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
  *) echo '0, 460.32.03, Tesla V100-SXM2-16GB' ;;
esac
`;
    const { driver, capability } = await examined({ "nvidia-smi": old });
    expect(driver).toMatchObject({ status: "ok", message: "460.32.03, 1 GPU" });
    expect(capability?.message).toBe("0: Tesla V100-SXM2-16GB, not said");
  });

  it("says that a project of the CPU needs none", async () => {
    const { image } = await examined({}, { "modelship.yaml": "name: digits\n" });
    expect(image).toMatchObject({
      status: "skipped",
      message: "digits computes on the CPU (accelerator: cpu)",
    });
  });

  it("refuses what cannot be, as a build does", async () => {
    const { image } = await examined({}, torch("2.8.0+cpu"));
    expect(image).toMatchObject({ status: "failed", exitCode: 2 });
  });
});
