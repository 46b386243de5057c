import type { ContainerSpec } from "../docker/containers.js";
import { type Environment, environmentList } from "./environment.js";
import { ServiceLabel } from "./labels.js";
import type { GpuRequest } from "./limits.js";

/** A folder or file of the engine's machine, for reading. */
export interface Mount {
  source: string;
  target: string;
}

/** Everything that decides what a service's container looks like. */
export interface ContainerPlan {
  service: string;
  /** Id of the image, so that a tag that moves meanwhile changes nothing. */
  image: string;
  /** The name that people know it by. */
  imageName: string;
  /** Of its manifest in a registry, for the service to tell. */
  digest?: string | undefined;
  /** Key of the project it is started from. */
  project?: string | undefined;
  /** Port that the service listens on inside the container. */
  port: number;
  /** Address and port on the engine's machine. */
  address: string;
  hostPort: number;
  network?: string | undefined;
  environment: Environment;
  /** Arguments after `--`. */
  command: readonly string[];
  /** Model files that the image does not hold. */
  weights?: Mount | undefined;
  /** The folder with the file of keys. */
  keys?: Mount | undefined;
  /** Where the model files are in the container. */
  files?: string | undefined;
  memory?: number | undefined;
  nanoCpus?: number | undefined;
  gpus?: GpuRequest | undefined;
  readOnly: boolean;
  /** Left out on engines that cannot do it. */
  init: boolean;
  /** Left out on engines that may not raise it. */
  openFiles?: number | undefined;
}

/** Open files (and sockets) that a service may have; some engines give no more than 1024. */
export const openFiles = 65_536;

/** The plan as the engine wants it: plain data, the same for the same plan. */
export function containerSpec(plan: ContainerPlan): ContainerSpec {
  const onHost = plan.network === "host";
  const listen = onHost
    ? { MODELSHIP_HOST: plan.address, MODELSHIP_PORT: String(plan.hostPort) }
    : { MODELSHIP_HOST: "0.0.0.0", MODELSHIP_PORT: String(plan.port) };
  // A service without keys would listen to its own container alone; who may reach it is decided by `address`.
  const open = plan.environment.has("MODELSHIP_OPEN") ? {} : { MODELSHIP_OPEN: "1" };
  const ours = {
    ...listen,
    ...open,
    ...(plan.digest && { MODELSHIP_IMAGE_DIGEST: plan.digest }),
    ...(plan.files && { MODELSHIP_FILES: plan.files }),
  };
  const port = `${plan.port}/tcp`;
  const mounts = [plan.weights, plan.keys].filter((mount) => mount !== undefined);
  return {
    Image: plan.image,
    Env: environmentList(new Map([...plan.environment, ...Object.entries(ours)])),
    ...(plan.command.length > 0 && { Cmd: [...plan.command] }),
    Labels: {
      [ServiceLabel.name]: plan.service,
      [ServiceLabel.image]: plan.imageName,
      ...(plan.project && { [ServiceLabel.project]: plan.project }),
      ...(onHost && { [ServiceLabel.address]: `${plan.address}:${plan.hostPort}` }),
    },
    ...(!onHost && { ExposedPorts: { [port]: {} } }),
    HostConfig: {
      ...(plan.network && { NetworkMode: plan.network }),
      ...(!onHost && {
        PortBindings: { [port]: [{ HostIp: plan.address, HostPort: String(plan.hostPort) }] },
      }),
      ...(mounts.length > 0 && {
        Mounts: mounts.map(({ source, target }) => ({
          Type: "bind",
          Source: source,
          Target: target,
          ReadOnly: true,
        })) as unknown as NonNullable<ContainerSpec["HostConfig"]>["Mounts"],
      }),
      ...(plan.memory && { Memory: plan.memory }),
      ...(plan.nanoCpus && { NanoCpus: plan.nanoCpus }),
      ...(plan.gpus && { DeviceRequests: [plan.gpus] }),
      ...(plan.readOnly && {
        ReadonlyRootfs: true,
        // Libraries unpack code into /tmp and run it, which a tmpfs does not allow unless told to.
        Tmpfs: { "/tmp": "rw,exec,nosuid,nodev,mode=1777" },
      }),
      ...(plan.init && { Init: true }),
      ...(plan.openFiles && {
        Ulimits: [{ Name: "nofile", Soft: plan.openFiles, Hard: plan.openFiles }],
      }),
      // A server on a high port that is not root needs none of root's powers.
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
    },
  };
}
