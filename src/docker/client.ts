import Docker from "dockerode";
import { UserError } from "../errors.js";
import type { Endpoint } from "./endpoint.js";

/** The one place that knows dockerode; the rest of src/docker takes an `Engine`. */
export type { Docker };

export interface EngineInfo {
  /** What the engine calls itself. */
  kind: "docker" | "podman";
  /** `20.10.24`, `4.3.1`. */
  version: string;
  /** Highest API version it speaks: `1.41`. */
  apiVersion: string;
  /** Whether POST /session and the BuildKit builder are there. */
  buildkit: boolean;
  /** How images are stored: decides what an image id is and which archives can be loaded. */
  store: "classic" | "containerd";
  /** Its platform, as OCI writes it: `linux/amd64`. */
  platform: string;
  storageDriver: string;
  dataRoot: string;
}

export interface Engine {
  docker: Docker;
  endpoint: Endpoint;
  info: EngineInfo;
}

export interface ConnectOptions {
  /** `--host`: wins over everything in the environment. */
  host?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
}
