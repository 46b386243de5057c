// Engine 26 with the containerd image store, beside the default engine. It comes from Debian 13's packages, whose /usr is
// mounted over ours in a mount namespace of the daemon alone: everything else is the host's, so bind mounts of project
// folders, the loopback registries and name resolution work as they do for any engine of the machine.
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { install } from "./apt.mjs";
import { answers } from "./engine-api.mjs";
import { ALREADY, SetupError, step } from "./say.mjs";
import { run } from "./shell.mjs";
import {
  ensureDir,
  runDir,
  runningPid,
  startDaemon,
  statePath,
  stopDaemon,
  waitFor,
  writeState,
} from "./state.mjs";

export const name = "engine-docker-26";
const bridge = `ms26-${runDir.slice(-8)}`; // 15 characters at most
const home = () => statePath("docker-26");
const system = () => statePath("docker-26", "root");
export const docker26Host = `unix://${runDir}/docker-26.sock`;

export async function startDocker26() {
  await install("mmdebstrap", "iptables", "iproute2");
  await step("Docker Engine 26 from Debian 13's packages", async () => {
    if (existsSync(system())) return ALREADY;
    const part = `${system()}.part`;
    rmSync(part, { recursive: true, force: true });
    ensureDir(home());
    await run("mmdebstrap", [
      "--variant=minbase",
      "--include=docker.io",
      ...["doc", "man", "locale"].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
      "trixie",
      part,
    ]);
    renameSync(part, system());
  });
  const { address } = await ensureBridge();
  await step("Docker Engine 26 on a socket of its own", async () => {
    if (runningPid(name) && (await answers(docker26Host))) return ALREADY;
    await stopDaemon(name);
    for (const file of ["docker-26.pid", "docker-26.sock"])
      rmSync(`${ensureDir(runDir)}/${file}`, { force: true });
    // What an engine that was killed remembers of its networks makes the next one delete the default engine's docker0.
    rmSync(`${home()}/data/network`, { recursive: true, force: true });
    const config = {
      "data-root": `${home()}/data`,
      "exec-root": `${runDir}/docker-26`,
      pidfile: `${runDir}/docker-26.pid`,
      hosts: [docker26Host],
      // Two engines that both keep iptables undo each other's rules; ours are three lines, below.
      bridge,
      iptables: false,
      "ip-masq": false,
      "default-address-pools": [{ base: address.replace(/\.0\.1$/, ".128.0/17"), size: 24 }],
      features: { "containerd-snapshotter": true },
    };
    writeState("docker-26/daemon.json", JSON.stringify(config, null, 2));
    const script = 'mount --bind "$0/usr" /usr && exec dockerd --config-file "$1"';
    startDaemon(name, "unshare", [
      ...["-m", "--propagation", "private", "sh", "-c", script],
      ...[system(), statePath("docker-26", "daemon.json")],
    ]);
    await waitFor(name, () => answers(docker26Host));
  });
  return docker26Host;
}

const firewall = (subnet) => [
  ["-t", "nat", "POSTROUTING", "-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE"],
  ["-t", "filter", "FORWARD", "-i", bridge, "-j", "ACCEPT"],
  [
    "-t",
    "filter",
    "FORWARD",
    "-o",
    bridge,
    "-m",
    "conntrack",
    "--ctstate",
    "RELATED,ESTABLISHED",
    "-j",
    "ACCEPT",
  ],
];
const iptables = (how, [t, table, chain, ...rule]) => run("iptables", ["-w", t, table, how, chain, ...rule]);

const addressIn = (text) => /inet (\d+\.\d+\.\d+\.\d+)\//.exec(text)?.[1];

/** Its own bridge: an engine that is told to have none deletes the default engine's docker0. */
async function ensureBridge() {
  const present = await run("ip", ["-4", "-o", "addr", "show", "dev", bridge]).catch(() => "");
  const found = addressIn(present);
  const address = found ?? (await freeAddress());
  await step(`network bridge for it`, async () => {
    if (!found) {
      await run("ip", ["link", "delete", bridge]).catch(() => {});
      await run("ip", ["link", "add", bridge, "type", "bridge"]);
      await run("ip", ["addr", "add", `${address}/17`, "dev", bridge]);
      await run("ip", ["link", "set", bridge, "up"]);
    }
    if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() !== "1")
      await run("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
    let added = !found;
    for (const rule of firewall(`${address}/17`)) {
      const there = await iptables("-C", rule).then(
        () => true,
        () => false,
      );
      if (there) continue;
      await iptables("-I", rule);
      added = true;
    }
    if (!added) return ALREADY;
  });
  return { address };
}

async function freeAddress() {
  const taken = await run("ip", ["-4", "route"]);
  for (let second = 31; second >= 20; second--)
    if (!taken.includes(`172.${second}.`)) return `172.${second}.0.1`;
  throw new SetupError("No free network between 172.20.0.0 and 172.31.0.0 for the second engine.");
}

/** Undoes what the machine's network was given; the bridge's address says which rules are ours. */
export async function removeBridge() {
  const present = await run("ip", ["-4", "-o", "addr", "show", "dev", bridge]).catch(() => "");
  const address = addressIn(present);
  if (!address) return false;
  for (const rule of firewall(`${address}/17`)) await iptables("-D", rule).catch(() => {});
  await run("ip", ["link", "delete", bridge]);
  return true;
}
