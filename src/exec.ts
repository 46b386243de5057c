import { constants } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { execa } from "execa";
import { systemCode } from "./errors.js";

export interface ExecOptions {
  cwd?: string;
  /** Written to the child's stdin, which is closed afterwards. */
  input?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Milliseconds; the child is ended after it. */
  timeout?: number;
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  /** The child's exit code; `undefined` when a signal or the time-out ended it. */
  exitCode: number | undefined;
  /** The program is not on the PATH. */
  missing: boolean;
}

/** Runs a program with an argument list (never a shell) and returns what it said, whatever its exit code. */
export async function exec(
  file: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const result = await execa(file, args, {
    reject: false,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.input !== undefined ? { input: options.input } : { stdin: "ignore" as const }),
    ...(options.env !== undefined && { env: options.env, extendEnv: false }),
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
    ...(options.timeout !== undefined && { timeout: options.timeout }),
  });
  return {
    stdout: result.stdout,
    stderr: result.stderr,
    exitCode: result.exitCode,
    missing: (result as { code?: string }).code === "ENOENT",
  };
}

export interface OutputLine {
  stream: "stdout" | "stderr";
  line: string;
}

export interface StartOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  onLine: (line: OutputLine) => void;
}

export interface Ended {
  /** As a shell has it: 128 and the number of the signal that ended it. */
  exitCode: number;
  /** Why it did not even start. */
  problem: string | undefined;
}

/** A program while it runs. */
export interface Started {
  /** Asks it to end. */
  terminate: () => void;
  /** Ends it and all that it has started, without asking. */
  kill: () => void;
  /** Resolves when it has ended and all that it printed was passed on; never rejects. */
  ended: Promise<Ended>;
}

/**
 * Starts a program in a process group of its own: a Ctrl-C of the terminal is for us alone, and whatever it leaves
 * behind ends with it. Its stdin stays open for as long as this process lives, so that it can see us go.
 */
export function start(file: string, args: readonly string[], options: StartOptions): Started {
  const { cwd, env, onLine } = options;
  const child = execa(file, args, {
    reject: false,
    buffer: false,
    cwd,
    env,
    extendEnv: false,
    stdin: "pipe",
    detached: process.platform !== "win32",
  });
  child.stdin.on("error", () => {}); // it is gone already: `ended` says so
  const read = readLines(child, onLine);
  const kill = () => killGroup(child.pid);
  child.once("exit", kill);
  return {
    terminate: () => void child.kill("SIGTERM"),
    kill,
    ended: child.then(async (result) => {
      await read;
      return {
        exitCode: result.exitCode ?? 128 + (result.signal ? constants.signals[result.signal] : 0),
        problem: "code" in result ? result.shortMessage : undefined,
      };
    }),
  };
}

/** Negative: the whole group. There is none any more when everything has ended. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch (error) {
    if (!["ESRCH", "EPERM"].includes(systemCode(error) ?? "")) throw error; // macOS says EPERM
  }
}

/** Resolves when both streams have ended. */
async function readLines(
  child: { stdout: Readable; stderr: Readable },
  onLine: (line: OutputLine) => void,
): Promise<void> {
  const read = (stream: OutputLine["stream"]) =>
    new Promise<void>((resolve) => {
      createInterface({ input: child[stream], crlfDelay: Number.POSITIVE_INFINITY })
        .on("line", (line) => onLine({ stream, line }))
        .once("close", resolve);
    });
  await Promise.all([read("stdout"), read("stderr")]);
}
