// Takes away what the set-up started or made on this machine. Debian packages stay: others may use them by now.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { isDebianRoot } from "./apt.mjs";
import { baseImage } from "./base-image.mjs";
import { client, removeContainer, removeImage } from "./engine-api.mjs";
import { name as engineDebian } from "./engine-debian.mjs";
import { name as engine26, removeBridge } from "./engine-docker26.mjs";
import { name as enginePodman, podmanEnv } from "./engine-podman.mjs";
import { containerName, kinds } from "./registry.mjs";
import { ALREADY, say, step } from "./say.mjs";
import { run } from "./shell.mjs";
import {
  discard,
  endOrphans,
  readState,
  runDir,
  runningPid,
  stateDir,
  stopDaemon,
  unmount,
} from "./state.mjs";

const engines = [engineDebian, engine26, enginePodman];

export async function clean() {
  say("Taking away what the set-up made");
  await step("images and containers in an engine that is not ours", cleanFoundEngine);
  if (runningPid(enginePodman))
    await step("Podman's containers", () => run("podman", ["rm", "--all", "--force"], { env: podmanEnv() }));
  const ours = readState(`pids/${engineDebian}.json`) !== undefined;
  for (const name of [...engines, ...kinds.map((kind) => `registry-${kind}`)]) {
    await step(`${name} stopped`, async () => ((await stopDaemon(name)) ? undefined : ALREADY));
  }
  endOrphans();
  if (isDebianRoot()) await step("network bridges removed", () => removeBridges(ours));
  await step(`${stateDir} and ${runDir} removed`, () => {
    if (!existsSync(stateDir) && !existsSync(runDir)) return ALREADY;
    if (existsSync(stateDir)) for (const entry of readdirSync(stateDir)) discard(`${stateDir}/${entry}`);
    unmount(runDir);
    for (const folder of [stateDir, runDir]) rmSync(folder, { recursive: true, force: true });
  });
  if (isDebianRoot()) say("Debian packages that were installed stay, docker.io and mmdebstrap among them.");
}

/** An engine of our own goes with all its data; from any other only what we put there is taken. */
async function cleanFoundEngine() {
  if (runningPid(engineDebian) || !existsSync(stateDir)) return ALREADY;
  const engine = await client().catch(() => undefined);
  if (!engine) return ALREADY;
  for (const kind of kinds) await removeContainer(engine.docker, containerName(kind));
  await removeImage(engine.docker, baseImage);
}

/** The engine leaves its docker0 behind; only that of an engine of ours is taken. */
async function removeBridges(ours) {
  const own = await removeBridge();
  const default0 =
    ours &&
    (await run("ip", ["link", "delete", "docker0"]).then(
      () => true,
      () => false,
    ));
  if (!own && !default0) return ALREADY;
}
