import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const bin = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "bin", "modelship.js");

export interface CliRun {
  process: ChildProcess;
  /** What it has printed so far. */
  stdout: () => string;
  stderr: () => string;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Resolves once its output matches; rejects when it ends before. */
  until: (stream: "stdout" | "stderr", pattern: RegExp) => Promise<void>;
}

/** Starts the compiled command line as a user does. Ended with the test. */
export function cli(
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv; input?: string | Buffer } = { cwd: process.cwd() },
): CliRun {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const said = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, ...said }));
  });
  onTestFinished(() => {
    if (child.exitCode === null) child.kill("SIGKILL");
  });
  return {
    process: child,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    ended,
    until: (stream, pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(said[stream])) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
        void ended.then(() => reject(new Error(`It ended first:\n${said.stdout}\n${said.stderr}`)));
      }),
  };
}
