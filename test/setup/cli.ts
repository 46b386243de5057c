import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "bin", "modelship.js");

/** What a run of the command line has said; complete once `modelship` has resolved. */
export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd: string;
  /** Added to the environment; `undefined` takes a variable away. */
  env?: NodeJS.ProcessEnv;
  uid?: number;
  input?: string | Buffer;
  /** Called once it runs, with what it says while it says it. */
  during?: (child: ChildProcess, so: Said) => void;
}

/** Runs the compiled command line as a user does, to its end. */
export function modelship(args: readonly string[], options: CliOptions): Promise<Said> {
  return run(process.execPath, [bin, ...args], options);
}

/** Runs any program to its end, without a terminal. */
export function run(file: string, args: readonly string[], options: CliOptions): Promise<Said> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const child = spawn(file, args, {
    cwd: options.cwd,
    env,
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const said: Said = { code: null, stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
      for (const look of lookers.get(said) ?? []) look();
    });
  }
  options.during?.(child, said);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      said.code = code;
      resolve(said);
    });
  });
}

const lookers = new WeakMap<Said, Set<() => void>>();

/** Does `action` once, as soon as `text` has been said. */
export function when(so: Said, text: string, action: () => void): void {
  const own = lookers.get(so) ?? new Set();
  lookers.set(so, own);
  const look = () => {
    if (!so.stdout.includes(text) && !so.stderr.includes(text)) return;
    own.delete(look);
    action();
  };
  own.add(look);
  look();
}
