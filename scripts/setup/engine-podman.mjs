// Podman's service, which answers the Docker API without BuildKit. Storage and configuration are its own: the machine's
// Podman, where there is one, is not touched.
import { join } from "node:path";
import { install } from "./apt.mjs";
import { answers } from "./engine-api.mjs";
import { ALREADY, step } from "./say.mjs";
import {
  ensureDir,
  readState,
  runDir,
  runningPid,
  startDaemon,
  statePath,
  stopDaemon,
  waitFor,
  writeState,
} from "./state.mjs";

export const name = "engine-podman";
export const podmanHost = `unix://${runDir}/podman.sock`;

// runc and cgroupfs: crun refuses machines with both cgroup versions mounted. The limits are those that any container may
// have; the packaged ones are above what an unprivileged sandbox allows.
const containers = () => `[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${runDir}/podman/tmp"

[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"

[network]
network_backend = "netavark"
network_config_dir = "${statePath("podman", "networks")}"
`;

const storage = () => `[storage]
driver = "overlay"
graphroot = "${statePath("podman", "data")}"
runroot = "${runDir}/podman/run"
`;

const registries = (addresses) =>
  addresses.map((address) => `[[registry]]\nlocation = "${address}"\ninsecure = true\n`).join("\n");

export function podmanEnv() {
  return {
    ...process.env,
    CONTAINERS_CONF: statePath("podman", "containers.conf"),
    CONTAINERS_STORAGE_CONF: statePath("podman", "storage.conf"),
    CONTAINERS_REGISTRIES_CONF: statePath("podman", "registries.conf"),
  };
}

export async function startPodman(registryAddresses) {
  await install("podman", "catatonit", "runc", "netavark", "aardvark-dns", "iptables");
  await step("Podman on a socket of its own", async () => {
    ensureDir(statePath("podman", "networks"));
    ensureDir(runDir);
    writeState("podman/containers.conf", containers());
    writeState("podman/storage.conf", storage());
    const known = readState("podman/registries.conf");
    writeState("podman/registries.conf", registries(registryAddresses)); // read once, when the service starts
    if (known === registries(registryAddresses) && runningPid(name) && (await answers(podmanHost)))
      return ALREADY;
    await stopDaemon(name);
    const keeper = [join(import.meta.dirname, "keep-alive.pl"), podmanHost.slice("unix://".length)];
    startDaemon(name, "perl", [...keeper, "podman", "system", "service", "--time=0"], { env: podmanEnv() });
    await waitFor(name, () => answers(podmanHost));
  });
  return podmanHost;
}
