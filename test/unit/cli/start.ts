import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { packagePath } from "../../../src/package.js";

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** From the start to the end. */
  seconds: number;
}

export interface Started {
  kill: (signal: NodeJS.Signals) => void;
  /** Resolves when stdout holds this text. */
  said: (text: string) => Promise<void>;
  ended: Promise<Ended>;
}

export interface StartOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** Options of node itself. */
  node?: readonly string[];
}

/** Starts the compiled command line (`npm run build`), without a terminal. Ended with the test. */
export function start(args: readonly string[], { cwd, env, node = [] }: StartOptions): Started {
  const child = spawn(process.execPath, [...node, packagePath("bin/modelship.js"), ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const began = performance.now();
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (part: string) => {
      text[stream] += part;
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, ...text, seconds: (performance.now() - began) / 1000 }));
  });
  return {
    kill: (signal) => void child.kill(signal),
    said: async (wanted) => {
      while (!text.stdout.includes(wanted)) {
        if (child.exitCode !== null) throw new Error(`It ended without saying "${wanted}":\n${text.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ended,
  };
}
