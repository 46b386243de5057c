// The default engine where none answers: Debian's docker.io, started by us on the default socket.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { install } from "./apt.mjs";
import { answers } from "./engine-api.mjs";
import { step } from "./say.mjs";
import { withSbin } from "./shell.mjs";
import {
  discard,
  ensureDir,
  runDir,
  runningPid,
  startDaemon,
  statePath,
  stopDaemon,
  waitFor,
} from "./state.mjs";

export const defaultHost = "unix:///var/run/docker.sock";
export const name = "engine-default";

export async function startDebianEngine() {
  await install("docker.io", "iptables");
  await step("Docker Engine on its default socket", async () => {
    if (await systemdStartsIt()) return;
    await stopDaemon(name); // one of ours that lives but does not answer
    await start().catch(async () => {
      // A data root that was half removed, or left by a machine that died: nothing in it is worth keeping.
      await stopDaemon(name);
      discard(statePath(name));
      await start();
    });
  });
}

/** An engine of ours whose bridge another program has deleted answers and can start no container; a restart mends it. */
export function lostItsBridge() {
  return runningPid(name) !== undefined && !existsSync("/sys/class/net/docker0");
}

async function start() {
  if (!anotherLives())
    for (const file of ["/var/run/docker.pid", "/var/run/docker.sock"]) rmSync(file, { force: true });
  const args = ["--data-root", ensureDir(statePath(name)), "--exec-root", `${ensureDir(runDir)}/docker`];
  startDaemon(name, "dockerd", [...args, "--host", defaultHost], { env: withSbin(process.env) });
  await waitFor(name, () => answers(defaultHost));
}

/** On a machine with systemd the package starts the engine by itself. */
async function systemdStartsIt() {
  if (!existsSync("/run/systemd/system")) return false;
  for (let tries = 0; tries < 20; tries++) {
    if (await answers(defaultHost)) return true;
    await sleep(250);
  }
  return false;
}

/** The pid file outlives its daemon, and its number may since belong to anything. */
function anotherLives() {
  try {
    const pid = readFileSync("/var/run/docker.pid", "utf8").trim();
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "dockerd";
  } catch {
    return false;
  }
}
