import type { Engine } from "../docker/client.js";
import { connectEngine } from "../docker/connect.js";
import { type GpuSupport, gpuSupport } from "../docker/gpu.js";
import { exec } from "../exec.js";
import { compareVersions } from "../image/accelerator/versions.js";
import type { BaseDecision } from "../image/base.js";
import { baseOf } from "../image/prepare.js";
import { readRequirements } from "../image/requirements.js";
import type { Project } from "../project/load.js";
import { type Check, check } from "./check.js";
import { askDriver, type DriverReport } from "./nvidia-smi.js";
import { type DoctorOptions, findProject, settle } from "./surroundings.js";

type Result = Omit<Check, "name">;

/**
 * Looks at everything between a GPU of this machine and the project's service: driver, compute capability, container
 * toolkit, what the engine can hand on, and what the project's image needs of them. Changes nothing.
 */
export async function examineGpu(options: DoctorOptions): Promise<Check[]> {
  const [connected, loaded, driver] = await Promise.all([
    settle(() => connectEngine(options)),
    settle(() => findProject(options)),
    askDriver(options.env, options.signal),
  ]);
  const needs = await settle(() => needsOf(loaded.get(), options));
  const support = await settle(() => gpuSupport(connected.get()));
  const needed = needs.value?.cuda;
  return [
    await check("driver", async () => driverCheck(driver, needed, connected.value)),
    await check("capability", async () => capabilityCheck(driver, needed)),
    await check("toolkit", () => toolkit(options)),
    await check("engine", async () => engineCheck(connected.get(), support.get())),
    await check("devices", () => devices(options, connected.value, support.value)),
    await check("image", async () => imageCheck(loaded.value, needs.get())),
  ];
}

async function needsOf(
  project: Project | undefined,
  { env }: DoctorOptions,
): Promise<BaseDecision | undefined> {
  if (!project) return undefined;
  const { root, config, origins } = project;
  const requirements = await readRequirements(
    root,
    config.requirements,
    origins.requirements ?? { from: "file" },
  );
  return baseOf(project, requirements, { env, platform: config.image.platforms[0] });
}

type Needed = BaseDecision["cuda"];

function driverCheck(report: DriverReport, needed: Needed, engine: Engine | undefined): Result {
  const remote = engine && !/^(unix|npipe):/.test(engine.endpoint.host);
  const elsewhere = remote
    ? " on this machine; the engine is on another, whose driver cannot be seen from here"
    : "";
  if (report.state === "missing")
    return {
      status: remote ? "skipped" : "failed",
      message: `no NVIDIA driver: there is no nvidia-smi${elsewhere}`,
      hint: remote ? undefined : "Install the driver for the GPU of this machine, if it has one.",
      exitCode: 1,
    };
  if (report.state === "broken")
    return {
      status: "failed",
      message: report.reason,
      hint: "Restart the machine after an update of the driver, or install it again.",
      exitCode: 1,
    };
  const { driver, gpus } = report;
  const message = `${driver}, ${gpus.length} GPU${gpus.length === 1 ? "" : "s"}${elsewhere}`;
  if (!needed?.driver) return { status: "ok", message };
  if (compareVersions(driver, needed.driver) >= 0)
    return { status: "ok", message: `${message}; the image needs ${needed.driver} or newer` };
  return {
    status: "failed",
    message: `${driver} is too old for CUDA ${needed.version}, which needs ${needed.driver} or newer`,
    hint: "Update the driver, or choose an older CUDA with `image.cuda` or other versions of the packages.",
    exitCode: 1,
  };
}

function capabilityCheck(report: DriverReport, needed: Needed): Result {
  if (report.state !== "ok") return { status: "skipped", message: "no driver that could say" };
  const { gpus } = report;
  const message = gpus
    .map(({ index, name, capability }) => `${index}: ${name}, ${capability ?? "not said"}`)
    .join("; ");
  const range = needed?.capabilities;
  if (!range) return { status: "ok", message };
  const [lowest, highest] = range;
  const old = gpus.filter(({ capability }) => capability && compareVersions(capability, lowest) < 0);
  const young = gpus.filter(({ capability }) => capability && compareVersions(capability, highest) > 0);
  if (old.length === 0 && young.length === 0)
    return {
      status: "ok",
      message: `${message}; CUDA ${needed.version} has code for ${lowest} to ${highest}`,
    };
  return {
    status: old.length > 0 ? "failed" : "warning",
    message: `${message}; CUDA ${needed.version} has code for ${lowest} to ${highest}`,
    hint:
      old.length > 0
        ? "Choose an older CUDA with `image.cuda`, or packages that are made for it."
        : "It runs only what can be compiled for this GPU when it starts; choose a newer CUDA.",
    exitCode: 1,
  };
}

async function toolkit({ env, signal }: DoctorOptions): Promise<Result> {
  for (const file of ["nvidia-ctk", "nvidia-container-cli"]) {
    const said = await exec(file, ["--version"], { env, timeout: 20_000, ...(signal && { signal }) });
    const version = /version:?\s+v?(\d+(?:\.\d+)+)/i.exec(said.stdout)?.[1];
    if (!said.missing && said.exitCode === 0)
      return { status: "ok", message: `NVIDIA Container Toolkit ${version ?? ""}`.trim() };
  }
  return {
    status: "failed",
    message: "no NVIDIA Container Toolkit on this machine (neither nvidia-ctk nor nvidia-container-cli)",
    hint: "Install nvidia-container-toolkit, and tell the engine: `nvidia-ctk runtime configure`.",
    exitCode: 1,
  };
}

function engineCheck({ info }: Engine, { runtime, devices }: GpuSupport): Result {
  const name = `${info.kind === "podman" ? "Podman" : "Docker"} ${info.version}`;
  const means = [...(runtime ? ["the NVIDIA runtime"] : []), ...(devices.length > 0 ? ["CDI devices"] : [])];
  if (means.length > 0) return { status: "ok", message: `${name} has ${means.join(" and ")}` };
  return {
    status: "failed",
    message: `${name} has neither the NVIDIA runtime nor a CDI device: it can give no container a GPU`,
    hint: "`nvidia-ctk runtime configure --runtime=docker` and restart the engine; Podman: `nvidia-ctk cdi generate`.",
    exitCode: 1,
  };
}

async function devices(
  { env, signal }: DoctorOptions,
  engine: Engine | undefined,
  support: GpuSupport | undefined,
): Promise<Result> {
  if (support && support.devices.length > 0) return { status: "ok", message: support.devices.join(", ") };
  const said = await exec("nvidia-ctk", ["cdi", "list"], { env, timeout: 20_000, ...(signal && { signal }) });
  const found = said.stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^[\w.-]+\/[\w-]+=\S+$/.test(line));
  if (found.length > 0) return { status: "ok", message: found.join(", ") };
  const needed = engine?.info.kind === "podman";
  return {
    status: needed ? "failed" : "skipped",
    message: `no CDI device is described on this machine${needed ? "" : "; not needed where the NVIDIA runtime is registered"}`,
    hint: needed ? "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`" : undefined,
    exitCode: 1,
  };
}

function imageCheck(project: Project | undefined, decision: BaseDecision | undefined): Result {
  if (!project || !decision) return { status: "skipped", message: "no project here" };
  const { cuda, reference } = decision;
  if (!cuda)
    return { status: "skipped", message: `${project.config.name} computes on the CPU (accelerator: cpu)` };
  if (!cuda.version)
    return {
      status: "warning",
      message: `${reference}: nothing is known of the CUDA that its packages need`,
    };
  const where = cuda.in === "wheels" ? "in its wheels" : "in its base";
  const [lowest, highest] = cuda.capabilities ?? [];
  return {
    status: "ok",
    message: `${reference} with CUDA ${cuda.version} ${where}: driver ${cuda.driver} or newer, compute capability ${lowest} to ${highest}`,
  };
}
