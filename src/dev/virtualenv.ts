import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../errors.js";
import { exec, start } from "../exec.js";
import type { Requirements } from "../image/requirements.js";
import type { Project } from "../project/load.js";
import { type Reporter, task } from "../reporter.js";
import { installFailed } from "./install-failed.js";
import { type InstallStep, installEnvironment, installSteps, inVirtualenv } from "./install-steps.js";
import { findInterpreter, type Interpreter, isVersion, mayHave } from "./interpreter.js";
import { requirementsKey } from "./requirements-key.js";

export interface Virtualenv {
  folder: string;
  python: string;
  /** Of Python: `3.12.4`. */
  version: string;
}

export interface VirtualenvOptions {
  project: Project;
  requirements: Requirements;
  /** `--python`. */
  python: string | undefined;
  cwd: string;
  env: NodeJS.ProcessEnv;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** What stands in `.modelship/dev/venv.json`; it is written when a virtualenv is whole, so that no half of one is used. */
interface Kept {
  key: string;
  /** Name of the virtualenv's folder beside it. */
  folder: string;
  version: string;
  /** The real path of its interpreter: another one there, after an upgrade of the system, has other packages. */
  interpreter: string;
}

/** What an interrupted install left behind is taken away when nobody can be working on it any more. */
const abandonedMs = 3_600_000;

/** The virtualenv of the project's requirements: the one that is there if nothing changed, else a new one. */
export async function ensureVirtualenv(options: VirtualenvOptions): Promise<Virtualenv> {
  const { project, requirements, python, env } = options;
  const home = join(project.root, ".modelship", "dev");
  const wanted = project.config.python;
  const { root } = project;
  const key = await requirementsKey({ root, python: python ?? wanted, paths: requirements.paths });
  const kept = await readKept(home);
  const fits = python !== undefined || (kept && isVersion(kept.version, wanted));
  if (kept?.key === key && (await isWhole(home, kept)) && (fits || !(await mayHave(wanted, env)))) {
    return told(asVirtualenv(home, kept), options);
  }
  const uv = !(await exec("uv", ["--version"], { env })).missing;
  const interpreter = await findInterpreter({ ...options, wanted, asked: python, uv });
  throwIfAborted(options.signal);
  // The project's version was not to be had after all: what is there is as good.
  if (kept?.key === key && kept.version === interpreter.version && (await isWhole(home, kept)))
    return told(asVirtualenv(home, kept), options);
  const made = await make({ home, key, uv, interpreter }, options);
  await clean(home, made.folder, kept?.folder);
  return told(asVirtualenv(home, made), options);
}

function asVirtualenv(home: string, { folder, version }: Kept): Virtualenv {
  const path = join(home, folder);
  return { folder: path, python: inVirtualenv(path, "python"), version };
}

function told(virtualenv: Virtualenv, { project, python, report }: VirtualenvOptions): Virtualenv {
  const wanted = project.config.python;
  if (!isVersion(virtualenv.version, wanted)) {
    const why = python === undefined ? `There is no Python ${wanted} here: this is` : "This is";
    report({
      type: "note",
      message: `${why} Python ${virtualenv.version}; the image will have ${wanted} (python in modelship.yaml).`,
    });
  }
  return virtualenv;
}

async function readKept(home: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(join(home, "venv.json"), "utf8")) as Kept;
  } catch {
    return undefined; // none yet, or not one of ours: a new one is made
  }
}

async function isWhole(home: string, kept: Kept): Promise<boolean> {
  return realpath(asVirtualenv(home, kept).python).then(
    (interpreter) => interpreter === kept.interpreter,
    () => false,
  );
}

interface Making {
  home: string;
  key: string;
  uv: boolean;
  interpreter: Interpreter;
}

/** Under a name of its own, for its programs hold its path; `venv.json` is renamed into place when all is installed. */
async function make({ home, key, uv, interpreter }: Making, options: VirtualenvOptions): Promise<Kept> {
  const { project, requirements, env } = options;
  const name = `venv-${key}-${randomBytes(4).toString("hex")}`;
  const folder = join(home, name);
  await mkdir(home, { recursive: true });
  await writeFile(join(project.root, ".modelship", ".gitignore"), "*\n");
  try {
    const { install } = requirements;
    for (const step of installSteps({ uv, interpreter, folder, root: project.root, install }))
      await take(step, project.root, installEnvironment(env), options);
    await rm(join(folder, "uv"), { recursive: true, force: true });
    const kept: Kept = {
      key,
      folder: name,
      version: interpreter.version,
      interpreter: await realpath(inVirtualenv(folder, "python")),
    };
    const beside = join(home, `${name}.json`);
    await writeFile(beside, `${JSON.stringify(kept, undefined, 2)}\n`);
    await rename(beside, join(home, "venv.json"));
    return kept;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function take(
  step: InstallStep,
  cwd: string,
  env: NodeJS.ProcessEnv,
  { report, signal }: VirtualenvOptions,
): Promise<void> {
  const id = `install ${step.title}`;
  await task(report, id, step.title, async () => {
    for (const [file, ...args] of step.commands) {
      const lines: string[] = [];
      const onLine = ({ line }: { line: string }) => {
        lines.push(line);
        report({ type: "task-output", id, line });
      };
      const { kill, ended } = start(file, args, { cwd, env, onLine });
      signal?.addEventListener("abort", kill);
      const { exitCode, problem } = await ended.finally(() => signal?.removeEventListener("abort", kill));
      throwIfAborted(signal);
      if (exitCode !== 0) throw installFailed(step.title, problem ? [problem] : lines, exitCode);
    }
  });
}

/** Earlier virtualenvs of this project: the one that this one replaces, and what interrupted installs left. */
async function clean(home: string, current: string, replaced: string | undefined): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith("venv-") || name === current) continue;
    const path = join(home, name);
    const age = Date.now() - (await stat(path).then((info) => info.mtimeMs, Date.now));
    if (name === replaced || age > abandonedMs) await rm(path, { recursive: true, force: true });
  }
}
