import { access, constants, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Engine } from "../docker/client.js";
import { renderKeys } from "../keys/document.js";
import { readKeyFile } from "../keys/key-file.js";
import type { Reporter } from "../reporter.js";
import { remoteHost } from "./address.js";
import type { Environment } from "./environment.js";
import { KeyVariable } from "./service-environment.js";
import type { Mount } from "./spec.js";

/** Where the folder of the keys is in the container. */
const target = "/run/modelship/keys";

export interface ContainerKeys {
  environment: Environment;
  /** So that a key that is made or revoked counts without a restart. */
  mount?: Mount;
}

/** How a container gets at the project's file of keys: its folder, or what is in it now where that cannot be seen. */
export async function containerKeys(
  engine: Engine,
  environment: Environment,
  file: string | undefined,
  report: Reporter,
): Promise<ContainerKeys> {
  if (file === undefined) return { environment };
  const keys = (await readKeyFile(file)) ?? [];
  const count = keys.length === 1 ? "1 API key" : `${keys.length} API keys`;
  if (remoteHost(engine.endpoint) === undefined && (await othersCanRead(file))) {
    report({ type: "note", message: `The service has ${count}, of ${file}.` });
    return {
      environment: new Map([...environment, [KeyVariable.file, `${target}/${basename(file)}`]]),
      mount: { source: dirname(file), target },
    };
  }
  report({
    type: "note",
    message: `The service has ${count}, as ${file} has them now: a change counts when it is run again.`,
  });
  return { environment: new Map([...environment, [KeyVariable.text, renderKeys(keys)]]) };
}

async function othersCanRead(file: string): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const [at, folder] = await Promise.all([stat(file), stat(dirname(file))]);
  await access(file, constants.R_OK);
  return (at.mode & 0o004) !== 0 && (folder.mode & 0o005) === 0o005;
}
