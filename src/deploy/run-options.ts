import type { LogLine } from "../docker/logs.js";
import type { ImageOptions } from "./image.js";
import type { GpuRequest } from "./limits.js";

export interface RunOptions extends ImageOptions {
  /** Any modelship image; the project's own without it. */
  image?: string | undefined;
  /** The project's folder (`--project`). */
  dir?: string | undefined;
  /** Bring the project's image up to date first. */
  build: boolean;
  /** Name of the service and its container; by default the project's. */
  name?: string | undefined;
  /** Port on the engine's machine; 0 for a free one. By default the service's own. */
  port?: number | undefined;
  /** Address to listen on. */
  bind: string;
  /** `KEY=VALUE` or `KEY`. */
  environment: readonly string[];
  environmentFiles: readonly string[];
  memory?: number | undefined;
  nanoCpus?: number | undefined;
  gpus?: GpuRequest | undefined;
  /** Let a service that is made for a GPU run on the CPU. */
  allowCpu?: boolean | undefined;
  readOnly: boolean;
  /** Arguments for the service. */
  command: readonly string[];
  /** Seconds to wait for readiness. */
  timeout?: number | undefined;
  /** Leave it running; else `runService` returns when the service has ended. */
  detach: boolean;
  /** Seconds that a service gets to finish its requests when it is stopped. */
  drain: number;
  /** The service is ready; it goes on in the foreground. */
  onReady?: ((service: RunningService) => void) | undefined;
  /** Output of a service in the foreground, from its start on. */
  onLog?: ((line: LogLine) => void) | undefined;
  /** Takes work to do when the user cannot wait for a clean end; returns a function that takes it back. */
  lastResort?: ((work: () => Promise<void>) => () => void) | undefined;
}

export interface RunningService {
  id: string;
  name: string;
  url: string;
  image: string;
  /** A line to copy that sends a request. */
  curl: string;
}
