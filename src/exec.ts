import { execa } from "execa";

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
