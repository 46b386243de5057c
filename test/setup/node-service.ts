import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { expect, onTestFinished } from "vitest";
import { packagePath } from "../../src/package.js";
import { folderWith } from "./folder.js";

type Entry = Record<string, unknown> & { event: string };

/** The service for Node in a process of its own, and what it has said so far. */
export interface NodeService {
  root: string;
  log: readonly Entry[];
  stderr: () => string;
  /** Waits for a line of the log. */
  said: (event: string) => Promise<Entry>;
  url: () => Promise<string>;
  kill: (signal: NodeJS.Signals) => void;
  exitCode: Promise<number | null>;
}

/** For a project of these files, until the test ends. Compiled before: scripts/compile.mjs. */
export async function startNodeService(
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<NodeService> {
  const root = await folderWith(files);
  const child = spawn(process.execPath, [packagePath("dist/service-node/main.js")], {
    cwd: root,
    env: { PATH: process.env.PATH, MODELSHIP_PORT: "0", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: Entry[] = [];
  let stderr = "";
  createInterface(child.stdout).on("line", (line) => log.push(JSON.parse(line)));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exitCode = new Promise<number | null>((resolve) => child.on("close", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exitCode;
  });
  const said = async (event: string) => {
    const find = () => log.find((entry) => entry.event === event);
    await expect.poll(find, { message: `${event}: ${stderr}` }).toBeDefined();
    return find() as Entry;
  };
  return {
    root,
    log,
    stderr: () => stderr,
    said,
    url: async () => `http://127.0.0.1:${(await said("listening")).port}`,
    kill: (signal) => void child.kill(signal),
    exitCode,
  };
}
