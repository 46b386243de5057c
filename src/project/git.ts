import { exec } from "../exec.js";

/** What git knows of the project's folder; secrets in the remote's address are left out. */
export interface Revision {
  /** Full commit hash. */
  commit: string;
  /** Files below the project differ from the commit, or are not in it. */
  dirty: boolean;
  /** Seconds since the epoch. */
  committedAt: number;
  /** Address of `origin`, without user or password. */
  source?: string;
}

/** `undefined` when there is no git, no repository, or no commit yet. */
export async function readRevision(root: string): Promise<Revision | undefined> {
  const git = (args: string[]) =>
    exec("git", ["-C", root, "--no-optional-locks", ...args], { timeout: 5_000 });
  const [head, status, remote] = await Promise.all([
    git(["log", "-1", "--format=%H %ct"]),
    git(["status", "--porcelain", "--", "."]),
    git(["remote", "get-url", "origin"]),
  ]);
  if (head.exitCode !== 0 || status.exitCode !== 0) return undefined;
  const [commit, committedAt] = head.stdout.trim().split(" ");
  if (!commit || !committedAt) return undefined;
  const source = remote.exitCode === 0 ? withoutCredentials(remote.stdout.trim()) : undefined;
  return { commit, dirty: status.stdout !== "", committedAt: Number(committedAt), ...(source && { source }) };
}

function withoutCredentials(address: string): string | undefined {
  if (!address) return undefined;
  if (!/^[a-z+]+:\/\//i.test(address)) return address; // scp-like: git@host:path has a user but no password
  try {
    const url = new URL(address);
    url.username = "";
    url.password = "";
    return url.href;
  } catch {
    return undefined;
  }
}
