// The default engine where none answers: Debian's docker.io, started by us on the default socket.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { install } from "./apt.mjs";
import { answers } from "./engine-api.mjs";
import { step } from "./say.mjs";
import { withSbin } from "./shell.mjs";
import { ensureDir, runDir, runningPid, startDaemon, statePath, stopDaemon, waitFor } from "./state.mjs";

export const defaultHost = "unix:///var/run/docker.sock";
const name = "engine-default";
const dataRoot = () => statePath("engine-default");

export async function startDebianEngine() {
  await install("docker.io", "iptables");
  await step("Docker Engine on its default socket", async () => {
    // On a machine with systemd the package starts it by itself.
    if (existsSync("/run/systemd/system")) {
      for (let i = 0; i < 20; i++) {
        if (await answers(defaultHost)) return;
        await new Promise((done) => setTimeout(done, 250));
      }
    }
    await stopDaemon(name); // one of ours that lives but does not answer
    if (!otherDockerdAlive()) for (const file of ["/var/run/docker.pid", "/var/run/docker.sock"]) rmSync(file, { force: true });
    ensureDir(dataRoot());
    ensureDir(runDir);
    const args = ["--data-root", dataRoot(), "--exec-root", `${runDir}/docker`, "--host", defaultHost];
    startDaemon(name, "dockerd", args, { env: withSbin(process.env) });
    await waitFor(name, () => answers(defaultHost));
  });
}

function otherDockerdAlive() {
  try {
    const pid = readFileSync("/var/run/docker.pid", "utf8").trim();
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "dockerd";
  } catch {
    return false;
  }
}

export const isOurDefault = () => runningPid(name) !== undefined;
