// Processes as Linux tells of them in /proc: who descends from whom, their memory and their processor time.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}

function children(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    // A child belongs to the thread that started it.
    return threads.flatMap((thread) =>
      read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean),
    );
  } catch {
    return [];
  }
}

export function descendants(pid) {
  return children(pid).flatMap((child) => [child, ...descendants(child)]);
}

function kilobytes(status, field) {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

/** Bytes: what the processes hold now, and the most that the largest of them ever held. */
export function memory(pids) {
  let now = 0;
  let largest = 0;
  for (const pid of pids) {
    const status = read(`/proc/${pid}/status`);
    now += kilobytes(status, "VmRSS");
    largest = Math.max(largest, kilobytes(status, "VmHWM"));
  }
  return { now: now * 1024, largest: largest * 1024 };
}

/** Seconds of processor time of a process and all that descend or descended from it. */
export function processorTime(pid) {
  let ticks = 0;
  for (const one of [pid, ...descendants(pid)]) {
    const stat = read(`/proc/${one}/stat`);
    if (!stat) continue;
    // After the name in brackets: utime, stime, cutime and cstime are the 12th to the 15th field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  }
  return ticks / ticksPerSecond;
}
