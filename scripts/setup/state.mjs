// Everything the set-up starts or makes is found again through this folder, also from another clone.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupError, say } from "./say.mjs";

export const root = join(import.meta.dirname, "..", "..");
export const stateDir = join(
  process.env.XDG_STATE_HOME || join(homedir(), ".local", "state"),
  "modelship-dev",
);

/** Short-lived sockets need short paths (108 bytes at most), so they live in /run under a name of this state folder. */
export const runDir = `/run/modelship-dev-${createHash("sha256").update(stateDir).digest("hex").slice(0, 8)}`;

export const statePath = (...parts) => join(stateDir, ...parts);

export function ensureDir(path) {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** Written beside and renamed: an interrupted set-up leaves the old text or the new one, never half of it. */
export function writeState(name, text, mode = 0o600) {
  const path = statePath(name);
  ensureDir(dirname(path));
  writeFileSync(`${path}.${process.pid}`, text, { mode });
  renameSync(`${path}.${process.pid}`, path);
}

export function readState(name) {
  return existsSync(statePath(name)) ? readFileSync(statePath(name), "utf8") : undefined;
}

export function readJson(name) {
  try {
    return JSON.parse(readState(name));
  } catch {
    return undefined;
  }
}

/** A pid alone is not an identity: numbers come again. The kernel's start time of the process settles it. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const record = (name) => `pids/${name}.json`;

export function runningPid(name) {
  const entry = readJson(record(name));
  return entry && startTime(entry.pid) === entry.startTime ? entry.pid : undefined;
}

export const logPath = (name) => statePath("logs", `${name}.log`);

/** Detached, in a session of its own and with its output in a file: whoever waits for our stdout must not wait for it. */
export function startDaemon(name, command, args, options = {}) {
  ensureDir(statePath("logs"));
  const log = openSync(logPath(name), "w", 0o600);
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", log, log] });
  child.on("error", () => {});
  closeSync(log);
  if (child.pid === undefined) throw new SetupError(`${command} could not be started.`);
  writeState(
    record(name),
    JSON.stringify({ pid: child.pid, startTime: startTime(child.pid), command, args }),
  );
  child.unref();
  return child.pid;
}

/** It may end by itself at any moment. */
function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

export async function stopDaemon(name, patience = 30_000) {
  const pid = runningPid(name);
  if (pid === undefined) {
    rmSync(statePath(record(name)), { force: true });
    return false;
  }
  send(pid, "SIGTERM");
  send(pid, "SIGCONT"); // a suspended one hears the first only after the second
  const until = Date.now() + patience;
  while (runningPid(name) !== undefined && Date.now() < until) await sleep(50);
  if (runningPid(name) !== undefined) send(pid, "SIGKILL");
  while (runningPid(name) !== undefined) await sleep(50);
  rmSync(statePath(record(name)), { force: true });
  return true;
}

/** Waits until `check` holds; fails at once, with the end of the log, when the daemon is gone. */
export async function waitFor(name, check, timeout = 30_000) {
  const until = Date.now() + timeout;
  while (Date.now() < until) {
    const value = await check();
    if (value) return value;
    if (runningPid(name) === undefined) break;
    await sleep(100);
  }
  const tail = existsSync(logPath(name))
    ? readFileSync(logPath(name), "utf8").trim().split("\n").slice(-15).join("\n")
    : "";
  throw new SetupError(`${name} did not come up.\n${tail}\nThe whole log: ${logPath(name)}`);
}

/** Takes a folder away in two moves, so that an interrupted removal leaves no half of a data root under its name. */
export function discard(path) {
  if (!existsSync(path)) return;
  unmount(path);
  const away = `${path}.removing-${process.pid}`;
  renameSync(path, away);
  rmSync(away, { recursive: true, force: true });
}

export function unmount(path) {
  if (process.platform !== "linux") return;
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  // Engines mount a data root on itself, too.
  for (const mount of mounts.reverse())
    if (`${mount}/`.startsWith(`${path}/`)) spawnSync("umount", ["-l", mount]);
}

/** Processes that a killed daemon left behind, known by our own folder in their command line. */
export function endOrphans() {
  if (!existsSync("/proc/self/cmdline")) return;
  for (const pid of readdirSync("/proc").filter(
    (entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid,
  )) {
    try {
      const [command, ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const ours = args.some((arg) => arg.startsWith(`${runDir}/`) || arg.startsWith(`${stateDir}/`));
      if (ours && /(^|\/)(containerd|containerd-shim[^/]*|conmon)$/.test(command))
        process.kill(Number(pid), "SIGKILL");
    } catch {
      // it ended meanwhile
    }
  }
}

/** One set-up at a time: two of them would start every daemon twice. */
export async function withLock(work) {
  ensureDir(stateDir);
  const lock = `${stateDir}.lock`;
  for (let said = false; ; said = true) {
    try {
      writeFileSync(lock, JSON.stringify({ pid: process.pid }), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!lockHolderLives(lock)) rmSync(lock, { force: true });
      else {
        if (!said) say("Waiting for another set-up on this machine to end");
        await sleep(200);
      }
    }
  }
  const release = () => rmSync(lock, { force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}

function lockHolderLives(lock) {
  try {
    process.kill(JSON.parse(readFileSync(lock, "utf8")).pid, 0);
    return true;
  } catch (error) {
    return (
      error.code === "EPERM" || (error.name === "SyntaxError" && Date.now() - statSync(lock).mtimeMs < 2000)
    );
  }
}
