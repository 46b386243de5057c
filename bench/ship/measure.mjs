// One command: how long it took, and what it and its children held and computed.
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { descendants, memory, processorTime } from "./processes.mjs";

// The shell's `time` counts the processor time of all children to the last moment; what is polled misses the end.
const script = 'TIMEFORMAT="%3U %3S"; exec 3>&2; { time "$@" 2>&3; } 2>"$0"';

/**
 * Throws when the command does not end with 0. `engine` is the pid of the engine that works for it, if it is known.
 * Memory is that of the client alone: an engine's own is not the user's process, and shared with others.
 */
export async function measure({ command, args, cwd, env, undo, times, engine, limit = 1_800_000 }) {
  const engineBefore = engine && processorTime(engine);
  const started = performance.now();
  const shell = spawn("bash", ["-c", script, times, command, ...args], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own, that can be ended as a whole
  });
  const ended = end(shell);
  const stop = undo.add(async () => {
    endGroup(shell.pid);
    await ended.catch(() => {});
  });
  let peak = 0;
  const poll = setInterval(() => {
    const { now, largest } = memory(descendants(shell.pid));
    peak = Math.max(peak, now, largest);
  }, 25);
  const tooLong = setTimeout(() => endGroup(shell.pid), limit);
  try {
    const { code, signal, stdout, stderr } = await ended;
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0)
      throw new Error(`${command} ${args[0]}: ended with ${signal ?? code}\n${tail(stderr || stdout)}`);
    const [user, system] = readFileSync(times, "utf8").trim().split(" ").map(Number);
    return {
      seconds,
      processor: user + system,
      peak,
      ...(engine && { engineProcessor: processorTime(engine) - engineBefore }),
      stdout,
    };
  } finally {
    clearInterval(poll);
    clearTimeout(tooLong);
    rmSync(times, { force: true });
    await stop();
  }
}

function end(child) {
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].setEncoding("utf8").on("data", (text) => {
      said[name] = (said[name] + text).slice(-100_000);
    });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...said }));
  });
}

function endGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

const tail = (text) => text.trim().split("\n").slice(-6).join("\n");
