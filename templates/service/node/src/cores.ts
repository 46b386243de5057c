import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** How many cores this process may use: its CPUs, or the quota of its container where that is less. */
export function cores(): number {
  const usable = availableParallelism();
  try {
    const [quota = 0, period = 1] = readFileSync("/sys/fs/cgroup/cpu.max", "utf8").split(" ").map(Number);
    return Math.max(1, quota > 0 ? Math.min(usable, Math.ceil(quota / period)) : usable);
  } catch {
    return usable;
  }
}
