#!/usr/bin/env node
// The machine's side of development: an engine, a base image and registries.
//   node scripts/setup.mjs [--engine default|docker-26|podman] [--print-env] [--clean]
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { install } from "./setup/apt.mjs";
import { baseImage, basePython, ensureBaseImage } from "./setup/base-image.mjs";
import { answers } from "./setup/engine-api.mjs";
import { defaultHost, startDebianEngine } from "./setup/engine-debian.mjs";
import { ensureRegistries } from "./setup/registry.mjs";
import { SetupError, say } from "./setup/say.mjs";

/** Sets up what is missing and returns the environment that tests and the demo run in. */
export async function ensure({ engine = "default" } = {}) {
  say(`Setting up (engine: ${engine})`);
  const host = process.env.DOCKER_HOST || defaultHost;
  if (!(await answers(host))) await startDebianEngine();
  await install("docker-registry");
  const registries = await ensureRegistries();
  await ensureBaseImage(host);
  return {
    MODELSHIP_TEST_ENGINE: engine,
    MODELSHIP_IMAGE_BASE: baseImage,
    MODELSHIP_PYTHON: basePython,
    ...registries,
  };
}

async function main() {
  const { values } = parseArgs({
    options: { engine: { type: "string" }, "print-env": { type: "boolean" }, clean: { type: "boolean" } },
  });
  const env = await ensure(values);
  if (values["print-env"]) for (const [key, value] of Object.entries(env)) process.stdout.write(`export ${key}='${value}'\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    say(error instanceof SetupError ? error.message : error.stack);
    process.exitCode = error.exitCode ?? 1;
  });
}
