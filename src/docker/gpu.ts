import type { Engine } from "./client.js";

/** How an engine can hand a GPU to a container; both empty or false when it cannot. */
export interface GpuSupport {
  /** NVIDIA's container runtime is registered. */
  runtime: boolean;
  /** CDI devices that the engine found, such as `nvidia.com/gpu=all`. API 1.50 and later. */
  devices: readonly string[];
}

export async function gpuSupport(engine: Engine): Promise<GpuSupport> {
  const info = (await engine.docker.info()) as {
    Runtimes?: Record<string, unknown>;
    DiscoveredDevices?: { ID?: string }[] | null;
  };
  return {
    runtime: Object.keys(info.Runtimes ?? {}).some((name) => name.includes("nvidia")),
    devices: (info.DiscoveredDevices ?? []).flatMap((device) => (device.ID ? [device.ID] : [])),
  };
}
