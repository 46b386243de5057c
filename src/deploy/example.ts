import { access } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Project } from "../project/load.js";
import { curlLine } from "./curl.js";
import type { Environment } from "./environment.js";
import { KeyVariable } from "./service-environment.js";

/** The project's example request, as the templates write it; `undefined` where there is none. */
export async function findExample(project: Project): Promise<string | undefined> {
  const path = join(project.root, "examples", "request.json");
  return access(path).then(
    () => path,
    () => undefined,
  );
}

/** A line to copy that sends the project's example to a service. */
export async function firstRequest(
  url: string,
  project: Project | undefined,
  environment: Environment,
  cwd: string,
): Promise<string> {
  const keysEnv = project?.config.service.auth.keys_env;
  const example = project && (await findExample(project));
  return curlLine({
    url,
    file: example ? relative(cwd, example) : "request.json",
    key: Boolean(keysEnv) || environment.has(KeyVariable.text) || environment.has(KeyVariable.file),
  });
}
