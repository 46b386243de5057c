import { randomBytes } from "node:crypto";

/** A name that tells which process made it, so that what a killed one left can be told from what is in use. */
export function ownName(): string {
  return `${process.pid}-${randomBytes(8).toString("hex")}`;
}

/** Whether it is such a name, of a process that has ended. */
export function isLeftOver(name: string): boolean {
  const pid = /^(\d+)-[0-9a-f]{16}$/.exec(name)?.[1];
  return pid !== undefined && !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
