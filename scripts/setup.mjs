#!/usr/bin/env node
// The machine's side of development: packages, an engine, a base image and registries.
//   node scripts/setup.mjs [--engine default|docker-26|podman] [--print-env] [--clean]
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isDebianRoot } from "./setup/apt.mjs";
import { ensureBaseImage } from "./setup/base-image.mjs";
import { clean } from "./setup/clean.mjs";
import { ensureCompiled, ensurePackages } from "./setup/dependencies.mjs";
import { client } from "./setup/engine-api.mjs";
import { startDocker26 } from "./setup/engine-docker26.mjs";
import { startPodman } from "./setup/engine-podman.mjs";
import { findEngine } from "./setup/find-engine.mjs";
import { ensureNodeBase } from "./setup/node-base.mjs";
import { ensureRegistries } from "./setup/registry.mjs";
import { SetupError, say, seconds } from "./setup/say.mjs";
import { withLock } from "./setup/state.mjs";

export const engines = ["default", "docker-26", "podman"];
/** The engines beside the default one come from Debian packages and need root. */
export const canStartOthers = isDebianRoot;

/** Sets up what is missing; returns the environment that tests and the demo run in. */
export async function ensure({ engine = "default", compile = true } = {}) {
  if (!engines.includes(engine))
    throw new SetupError(`No engine "${engine}": one of ${engines.join(", ")}.`, 2);
  if (engine !== "default" && !canStartOthers())
    throw new SetupError(`${engine} is started from Debian packages, as root.`, 3);
  const start = performance.now();
  say(`Set-up (engine: ${engine})`);
  const env = await withLock(async () => {
    await ensurePackages();
    if (compile) await ensureCompiled();
    return await (engine === "default" ? ensureDefault() : ensureOther(engine));
  });
  say(`Set-up done in ${seconds(start)}`);
  return { MODELSHIP_TEST_ENGINE: engine, ...env };
}

async function ensureDefault() {
  const { docker } = await findEngine();
  return { ...(await ensureRegistries(docker)), ...(await ensureBases(docker)) };
}

async function ensureOther(engine) {
  const registries = await ensureRegistries();
  const host = engine === "podman" ? await startPodman(Object.values(registries)) : await startDocker26();
  const { docker } = await client(host);
  return { DOCKER_HOST: host, ...registries, ...(await ensureBases(docker)) };
}

async function ensureBases(docker) {
  return { ...(await ensureBaseImage(docker)), ...(await ensureNodeBase(docker)) };
}

async function main() {
  const { values } = parseArgs({
    options: { engine: { type: "string" }, "print-env": { type: "boolean" }, clean: { type: "boolean" } },
  });
  if (values.clean) return await withLock(clean);
  const env = await ensure({ engine: values.engine, compile: false });
  if (!values["print-env"])
    return say('Its environment for a shell: eval "$(node scripts/setup.mjs --print-env)"');
  for (const [key, value] of Object.entries(env)) process.stdout.write(`export ${key}='${value}'\n`);
}

/** Ends a script as its error says: a plain message for what people can mend, the stack for what is our fault. */
export function fail(error) {
  say(error instanceof SetupError || error.code ? error.message : error.stack);
  process.exitCode = error.exitCode ?? 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main().catch(fail);
