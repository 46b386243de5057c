import { join } from "node:path";
import type { Requirements } from "../image/requirements.js";
import type { Interpreter } from "./interpreter.js";
import { serviceSource } from "./requirements-key.js";

export interface InstallStep {
  /** What it does, in the user's words. */
  title: string;
  commands: readonly (readonly [file: string, ...args: string[]])[];
}

export interface InstallInput {
  /** uv is on the PATH. */
  uv: boolean;
  interpreter: Interpreter;
  /** The virtualenv. */
  folder: string;
  root: string;
  install: Requirements["install"];
}

const binaries = process.platform === "win32" ? "Scripts" : "bin";

/** A program of a virtualenv. */
export function inVirtualenv(folder: string, name: string): string {
  return join(folder, binaries, name);
}

/**
 * What the Dockerfile does, in the same order and with the same locks: the service's requirements by their hashes, then
 * the project's within the service's constraints. Run in the project's folder.
 */
export function installSteps(input: InstallInput): InstallStep[] {
  const { uv, interpreter, folder, install } = input;
  const python = inVirtualenv(folder, "python");
  const pip = uv
    ? (["uv", "pip", "install", "--python", python, "--compile-bytecode"] as const)
    : interpreter.pip
      ? ([interpreter.file, "-m", "pip", "--python", python, "install"] as const)
      : ([python, "-m", "pip", "install"] as const);
  const lock = (name: string) => join(serviceSource, name);
  // Hashes and constraints do not go together, so whether a lock is within them is asked afterwards, without an index.
  const fits = [...pip, "--no-index", "--no-deps", "--quiet", "-r", lock("constraints.txt")] as const;
  const steps: InstallStep[] = [
    {
      title: `Make a virtualenv of Python ${interpreter.version}`,
      commands: [
        uv
          ? ["uv", "venv", "--no-project", "--python", interpreter.file, folder]
          : [interpreter.file, "-m", "venv", ...(interpreter.pip ? ["--without-pip"] : []), folder],
      ],
    },
    {
      title: "Install the service's requirements",
      commands: [[...pip, "--require-hashes", "-r", lock("requirements.txt")]],
    },
  ];
  if (install.kind === "pip") {
    steps.push({
      title: `Install ${install.file}`,
      commands: install.hashed
        ? [[...pip, "--require-hashes", "-r", install.file], fits]
        : [[...pip, "-c", lock("constraints.txt"), "-r", install.file]],
    });
  } else if (install.kind === "uv") {
    const exported = join(folder, "exported.txt");
    const own = join(folder, "uv");
    const options = ["--frozen", "--no-dev", "--no-emit-project", "--quiet", "-o", exported];
    steps.push({
      title: "Install uv.lock",
      commands: [
        ...(uv
          ? []
          : ([
              [interpreter.file, "-m", "venv", own],
              [inVirtualenv(own, "python"), "-m", "pip", "install", "--require-hashes", "-r", lock("uv.txt")],
            ] as const)),
        [uv ? "uv" : inVirtualenv(own, "uv"), "export", "--project", input.root, ...options],
        [...pip, "--require-hashes", "-r", exported],
        fits,
      ],
    });
  }
  return steps;
}

/** uv has variables of its own; what is set for pip holds for it too, unless they say otherwise. */
export function installEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { VIRTUAL_ENV: _, PYTHONPATH: __, PYTHONHOME: ___, ...rest } = env;
  const forUv: Readonly<Record<string, string | undefined>> = {
    UV_DEFAULT_INDEX: env.UV_INDEX_URL ? undefined : env.PIP_INDEX_URL,
    UV_INDEX: env.UV_EXTRA_INDEX_URL ? undefined : env.PIP_EXTRA_INDEX_URL,
    UV_FIND_LINKS: env.PIP_FIND_LINKS?.trim().split(/\s+/).join(","),
    UV_INSECURE_HOST: env.PIP_TRUSTED_HOST,
    SSL_CERT_FILE: env.PIP_CERT,
  };
  const added = Object.entries(forUv).filter(([name, value]) => value && !env[name]);
  return {
    ...rest,
    ...Object.fromEntries(added),
    PIP_NO_INPUT: "1",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_PROGRESS_BAR: "off",
    PYTHONUNBUFFERED: "1",
  };
}
