// A program of ours that runs beside the measurements and is ended by its pid.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** In a group of its own, so that Ctrl-C reaches it through `undo`, after what uses it. Returns what stops it. */
export function startDaemon({ command, args, env, log, undo }) {
  const output = openSync(log, "a");
  const child = spawn(command, args, { env, detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  const ended = new Promise((resolve) => {
    child.on("error", resolve);
    child.on("exit", resolve);
  });
  return undo.add(async () => {
    child.kill("SIGTERM");
    const patience = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(patience);
  });
}

export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export async function answering(address, log) {
  for (let tries = 0; tries < 300; tries++) {
    const response = await fetch(`http://${address}/v2/`).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    await sleep(100);
  }
  throw new Error(`The registry at ${address} does not answer. What it said: ${log}`);
}
