import type { BigIntStats } from "node:fs";
import { messageOf, systemCode, UserError } from "../errors.js";

/** The same identity means the same bytes: whoever writes to a file changes its times. */
export function identityOf(info: BigIntStats): string {
  return [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join(":");
}

const tick = 20_000_000n;
const second = 1_000_000_000n;

/**
 * Whether a write after now would show in the file's identity. A file system's clock stands still for some
 * milliseconds, and two writes within one tick leave the same times, so what was written just now is not remembered.
 * The time of change is what counts: unlike the other, nobody can set it. Where it is a whole second, or two as on FAT,
 * the file system may keep no finer ones.
 */
export function isSettled(info: BigIntStats, now = Date.now()): boolean {
  const age = BigInt(now) * 1_000_000n - info.ctimeNs;
  return age >= (info.ctimeNs % second === 0n ? 2n * second : tick);
}

export function changed(file: string): UserError {
  return new UserError("file_failed", `${file} changed while it was being read.`, {
    hint: "Wait until whatever writes it has finished, then start again.",
  });
}

export function unreadable(file: string, cause: unknown): UserError {
  if (cause instanceof UserError) return cause;
  if (systemCode(cause) === "ENOENT") {
    return new UserError("file_failed", `${file} is not there any more.`, {
      hint: "Start again once nothing else removes it.",
      cause,
    });
  }
  return new UserError("file_failed", `${file} cannot be read.`, {
    why: messageOf(cause),
    hint:
      systemCode(cause) === "EACCES" || systemCode(cause) === "EPERM"
        ? "Give yourself read permission."
        : "Check the file and the disk it is on.",
    cause,
  });
}
