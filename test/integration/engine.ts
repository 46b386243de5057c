import { readdir, readFile } from "node:fs/promises";
import type { BuildRequest } from "../../src/docker/build.js";
import { connect, type Engine } from "../../src/docker/client.js";
import type { ContextFile } from "../../src/docker/context-file.js";

/** The engine that the set-up started, a base image on it, and the network that builds have there. */
export const base = process.env.MODELSHIP_IMAGE_BASE ?? "";
export const network = process.env.MODELSHIP_TEST_NETWORK;

export function testEngine(): Promise<Engine> {
  const host = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";
  return connect({ host, source: "the test" });
}

export function textFile(path: string, text: string, mode: 0o644 | 0o755 = 0o644): ContextFile {
  const bytes = Buffer.from(text);
  return { path, mode, size: bytes.length, source: { bytes } };
}

export function requestOf(dockerfile: string, rest: Partial<BuildRequest> = {}): BuildRequest {
  return {
    dockerfile,
    files: [],
    tags: [],
    labels: {},
    buildArgs: {},
    secrets: [],
    network,
    noCache: false,
    pull: false,
    credentials: async () => undefined,
    ...rest,
  };
}

/** Processes of this machine whose command line holds `text`. */
export async function processesWith(text: string): Promise<number> {
  let count = 0;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || name === String(process.pid)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (line.includes(text)) count++;
  }
  return count;
}

/** Asks until the answer is yes; fails with `what` after `seconds`. */
export async function eventually(what: string, seconds: number, test: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
