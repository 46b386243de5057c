import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of `size` in memory, as `mount` writes sizes (`64k`, `700m`). Needs root. */
export function smallDisk(size: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "modelship-test-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  return {
    path,
    remove: () => {
      execFileSync("umount", ["-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** A second Docker daemon whose disk is `size` large, with a bridge of its own so that it leaves the first one's alone. */
export async function smallEngine(size: string): Promise<{ host: string; stop: () => Promise<void> }> {
  const disk = smallDisk(size);
  const state = mkdtempSync(join(tmpdir(), "modelship-test-engine-"));
  const bridge = `mstest${process.pid % 1_000_000}`;
  const socket = join(state, "docker.sock");
  execFileSync("ip", ["link", "add", bridge, "type", "bridge"]);
  execFileSync("ip", ["addr", "add", "172.30.255.1/24", "dev", bridge]);
  mkdirSync(join(disk.path, "data"));
  writeFileSync(join(state, "daemon.json"), "{}"); // the machine's own settings are not for it
  const log = openSync(join(state, "log"), "w");
  const daemon = spawn(
    "dockerd",
    [
      ...["--data-root", join(disk.path, "data"), "--exec-root", join(state, "exec")],
      ...["--pidfile", join(state, "pid"), "--host", `unix://${socket}`],
      ...[
        "--bridge",
        bridge,
        "--iptables=false",
        "--ip-masq=false",
        "--config-file",
        join(state, "daemon.json"),
      ],
    ],
    { stdio: ["ignore", log, log] },
  );
  const stop = async () => {
    await ended(daemon);
    execFileSync("ip", ["link", "delete", bridge]);
    unmountBelow(state); // the host's network namespace, once a container has used it
    disk.remove();
    rmSync(state, { recursive: true, force: true });
  };
  try {
    await answers(socket, daemon);
  } catch (error) {
    const said = readFileSync(join(state, "log"), "utf8").split("\n").slice(-15).join("\n");
    await stop();
    throw new Error(`${(error as Error).message}\n${said}`);
  }
  return { host: `unix://${socket}`, stop };
}

function unmountBelow(folder: string): void {
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const path = line.split(" ")[1] ?? "";
    if (path.startsWith(`${folder}/`)) execFileSync("umount", ["-l", path]);
  }
}

async function answers(socketPath: string, daemon: ChildProcess): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && daemon.exitCode === null) {
    const status = await new Promise<number | undefined>((resolve) => {
      const ping = request({ socketPath, path: "/_ping" }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      ping.on("error", () => resolve(undefined));
      ping.end();
    });
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the small engine did not start");
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return;
  const exit = new Promise((resolve) => daemon.once("exit", resolve));
  daemon.kill("SIGTERM");
  const killer = setTimeout(() => daemon.kill("SIGKILL"), 20_000);
  await exit;
  clearTimeout(killer);
}
