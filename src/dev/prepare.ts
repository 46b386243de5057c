import { relative, resolve, sep } from "node:path";
import type { Environment } from "../deploy/environment.js";
import { givenEnvironment, KeyVariable, serviceKeys } from "../deploy/service-environment.js";
import { readProjectContent } from "../image/context.js";
import { readNodeRequirements } from "../image/node/requirements.js";
import { readRequirements } from "../image/requirements.js";
import { readIgnoreRules } from "../project/ignore.js";
import { loadProject, type Project } from "../project/load.js";
import { projectFileName } from "../project/project-file.js";
import type { Reporter } from "../reporter.js";
import { checkNodeModules } from "./node-modules.js";
import { ensureVirtualenv, type Virtualenv } from "./virtualenv.js";
import { type WatchFilter, watchFilter } from "./watch-filter.js";

export interface PrepareOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** `--project`. */
  dir?: string | undefined;
  /** `KEY=VALUE` or `KEY`. */
  environment: readonly string[];
  environmentFiles: readonly string[];
  /** `--allow-cpu`: where there is no GPU, compute on the CPU although the project says accelerator: cuda. */
  allowCpu?: boolean | undefined;
  /** `--python`. */
  python: string | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** What a service is started from. */
export interface Prepared {
  project: Project;
  /** `undefined`: Node serves it, with the packages that the user has installed. */
  virtualenv: Virtualenv | undefined;
  /** The model files. */
  files: string;
  given: Environment;
  filter: WatchFilter;
  /** Whether this is changed by a change of these project paths. */
  concerns: (paths: readonly string[]) => boolean;
}

/** Reads the project as a build does, and brings its virtualenv up to date; npm's packages are the user's to install. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { cwd, env, dir, report } = options;
  const project = await loadProject({ cwd, dir, env });
  const { root, config, origins } = project;
  const isNode = config.runtime === "node";
  const [content, requirements, rules, flags] = await Promise.all([
    readProjectContent(project),
    isNode
      ? readNodeRequirements(project)
      : readRequirements(root, config.requirements, origins.requirements ?? { from: "file" }),
    readIgnoreRules(root),
    givenEnvironment(options),
  ]);
  const keys = await serviceKeys(project, flags, env, report);
  const given = keys.file ? new Map([...keys.environment, [KeyVariable.file, keys.file]]) : keys.environment;
  if (isNode) await checkNodeModules(root);
  const virtualenv = isNode ? undefined : await ensureVirtualenv({ ...options, project, requirements });
  const inProject = options.environmentFiles
    .map((name) => relative(root, resolve(cwd, name)).split(sep).join("/"))
    .filter((path) => !path.startsWith(".."));
  const read = [projectFileName, config.requirements, ...requirements.paths, ...inProject];
  return {
    project,
    virtualenv,
    files: content.model.hostPath,
    given,
    filter: watchFilter(rules, read),
    concerns: (paths) =>
      paths.some((path) => path === ".dockerignore" || read.some((one) => isWithin(path, one))),
  };
}

function isWithin(path: string, one: string): boolean {
  return path === one || path.startsWith(`${one}/`);
}
