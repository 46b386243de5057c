import { access, constants } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { throwIfAborted, UserError } from "../errors.js";
import { exec } from "../exec.js";
import { type Reporter, task } from "../reporter.js";

export interface Interpreter {
  file: string;
  /** `3.12.4`. */
  version: string;
  /** It has a pip that installs into other virtualenvs, which then need none of their own. */
  pip: boolean;
}

export interface InterpreterOptions {
  /** `python` of modelship.yaml: `3.12`. */
  wanted: string;
  /** `--python`: a path, the name of a program, or a version. */
  asked: string | undefined;
  /** uv is there, and may have the wanted version or bring it. */
  uv: boolean;
  cwd: string;
  env: NodeJS.ProcessEnv;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** What the service is tested with. */
const oldest = [3, 10] as const;
/** Knows `--python`. */
const oldestPip = [22, 3] as const;

/** The interpreter that was asked for, else one of the project's version, else any that will do. */
export async function findInterpreter(options: InterpreterOptions): Promise<Interpreter> {
  const { wanted, asked } = options;
  if (asked !== undefined) return askedFor(asked, options);
  const exact = (await probe(`python${wanted}`, options)) ?? (await fromUv(options));
  if (exact) return exact;
  for (const name of ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"]) {
    const found = await probe(name, options);
    if (found && isNewEnough(found.version)) return found;
  }
  throw new UserError(
    "failed",
    `There is no Python ${wanted} here, nor another from ${oldest.join(".")} on.`,
    {
      hint: `Install Python ${wanted}, or uv, which brings it; or name an interpreter with --python.`,
    },
  );
}

/** Whether the project's version may be had now: something of that name is on the PATH. Starts no program. */
export async function mayHave(wanted: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const found = await access(join(folder, `python${wanted}`), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

export function isVersion(version: string, wanted: string): boolean {
  return version === wanted || version.startsWith(`${wanted}.`);
}

function isNewEnough(version: string): boolean {
  return version.startsWith("3.") && isAtLeast(version, oldest);
}

function isAtLeast(version: string, [least, andMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > least || (major === least && minor >= andMinor);
}

async function askedFor(asked: string, options: InterpreterOptions): Promise<Interpreter> {
  const name = /^\d+\.\d+$/.test(asked) ? `python${asked}` : asked;
  const found = await probe(/[\\/]/.test(name) ? resolve(options.cwd, name) : name, options);
  if (!found)
    throw new UserError("usage", `--python ${asked} is no Python that runs.`, {
      hint: "Name an interpreter by its path or its name, or write a version such as 3.12.",
    });
  if (!isNewEnough(found.version))
    throw new UserError("usage", `--python ${asked} is Python ${found.version}.`, {
      why: `The service needs ${oldest.join(".")} or newer.`,
      hint: "Name a newer one.",
    });
  return found;
}

/** One that uv has, or else brings, where it may and can. */
async function fromUv(options: InterpreterOptions): Promise<Interpreter | undefined> {
  const { wanted, uv, env, report, signal } = options;
  if (!uv) return undefined;
  const own = async () => {
    const args = ["python", "find", "--managed-python", "--no-python-downloads", wanted];
    const { exitCode, stdout } = await exec("uv", args, { env, ...(signal && { signal }) });
    throwIfAborted(signal);
    return exitCode === 0 ? probe(stdout.trim(), options) : undefined;
  };
  return (await own()) ?? (await brought());

  async function brought(): Promise<Interpreter | undefined> {
    if (env.UV_PYTHON_DOWNLOADS && env.UV_PYTHON_DOWNLOADS !== "automatic") return undefined;
    try {
      return await task(report, "python", `Get Python ${wanted} with uv`, async () => {
        const result = await exec("uv", ["python", "install", wanted], { env, ...(signal && { signal }) });
        if (result.exitCode !== 0) throw new Error(result.stderr);
        return own();
      });
    } catch {
      throwIfAborted(signal);
      return undefined; // without a network, another version has to do
    }
  }
}

/** The interpreter itself rather than what stands in for it (a shim of pyenv, a link); `undefined` if it does not run. */
async function probe(file: string, options: InterpreterOptions): Promise<Interpreter | undefined> {
  const { env, cwd, signal } = options;
  const code = [
    "import platform, sys, venv",
    "try: from pip import __version__ as pip",
    "except ImportError: pip = '0'",
    "print(sys.executable, platform.python_version(), pip, sep='\\n')",
  ].join("\n");
  const run = { cwd, env, timeout: 20_000, ...(signal && { signal }) };
  const { exitCode, stdout } = await exec(file, ["-I", "-c", code], run);
  throwIfAborted(signal);
  const [executable = "", version = "", pip = ""] = stdout.trim().split(/\r?\n/);
  const found = { file: executable, version, pip: isAtLeast(pip, oldestPip) };
  return exitCode === 0 && executable ? found : undefined;
}
