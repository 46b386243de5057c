import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isUserError, messageOf, systemCode, throwIfAborted, UserError } from "../errors.js";
import { type KeyEntry, mostBytes, mostKeys, parseKeys, renderKeys } from "./document.js";

/** A service in a container is another user, and has to read it. Hashes of 256 random bits give nothing away. */
const usualMode = 0o644;
const patienceMilliseconds = 5000;
const pauseMilliseconds = 20;

/** The keys of a file, or `undefined` where there is none. */
export async function readKeyFile(path: string): Promise<KeyEntry[] | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw new UserError("file_failed", `${path} cannot be read.`, {
      why: systemCode(error) === "EACCES" ? "This user may not read it." : messageOf(error),
      cause: error,
    });
  }
  return parseKeys(text, path);
}

/** Changes the keys of a file, one modelship at a time, so that two changes at once both last. */
export async function changeKeyFile(
  path: string,
  change: (keys: readonly KeyEntry[]) => readonly KeyEntry[],
  signal?: AbortSignal,
): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    // A link stays a link: what it points at is changed.
    const target = await realpath(path).catch(() => path);
    await whileLocked(target, signal, async () => {
      await replace(target, checked(change((await readKeyFile(target)) ?? []), path));
    });
  } catch (error) {
    throw isUserError(error) ? error : explain(error, path);
  }
}

/** The lock is never broken open: what looks forgotten may be a slow disk. */
async function whileLocked(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const lock = `${path}.lock`;
  const until = performance.now() + patienceMilliseconds;
  while (!(await acquired(lock))) {
    throwIfAborted(signal);
    if (performance.now() > until) {
      throw new UserError("file_failed", `${path} is being changed by another modelship.`, {
        why: `Its lock is there: ${lock}.`,
        hint: "Try again; if no other modelship is running, remove the lock.",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
  }
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function acquired(lock: string): Promise<boolean> {
  try {
    await (await open(lock, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function checked(keys: readonly KeyEntry[], path: string): string {
  const text = renderKeys(keys);
  if (keys.length <= mostKeys && Buffer.byteLength(text) <= mostBytes) return text;
  throw new UserError("failed", `${path} is full.`, {
    why: `A service reads up to ${mostKeys} keys and ${mostBytes} bytes.`,
    hint: "Revoke keys that have expired: `modelship keys list` marks them.",
  });
}

/** Beside the file, then renamed over it: a service sees the old keys or the new ones. */
async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    // Under sudo the file stays the user's.
    const owner = await stat(path).catch(() => undefined);
    const mode = owner ? owner.mode & 0o777 : usualMode;
    await writeFile(beside, text, { mode, flag: "wx" });
    await chmod(beside, mode);
    if (owner && process.getuid?.() === 0) await chown(beside, owner.uid, owner.gid);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

function explain(error: unknown, path: string): UserError {
  const code = systemCode(error);
  return new UserError(
    code === "ENOSPC" || code === "EDQUOT" ? "disk_full" : "file_failed",
    `${path} cannot be written.`,
    {
      why: code === "EACCES" || code === "EROFS" ? "This user may not write there." : messageOf(error),
      hint: "Correct the permissions, or name another file with --file.",
      cause: error,
    },
  );
}
