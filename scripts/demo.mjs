#!/usr/bin/env node
// The main job, from nothing to an answer out of an image that came back from a registry:
//   npm run demo              (npm run demo -- --clean takes away all that the set-up made)
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clean } from "./setup/clean.mjs";
import { client, hasImage, removeContainer, removeImage } from "./setup/engine-api.mjs";
import { SetupError, say, seconds } from "./setup/say.mjs";
import { root, withLock } from "./setup/state.mjs";
import { ensure, fail } from "./setup.mjs";

const times = [];
let current; // the command that runs now
let interrupted = false;

async function timed(name, work) {
  const start = performance.now();
  try {
    return await work();
  } catch (error) {
    error.message = `The demo failed at "${name}": ${error.message}`;
    throw error;
  } finally {
    times.push([name, seconds(start)]);
  }
}

/** Runs the CLI as it would be typed; its talk goes straight to the terminal, its result is shown and returned. */
function modelship(args, options) {
  say(`\n$ modelship ${args.join(" ")}`);
  return timed(
    args[0],
    () =>
      new Promise((resolve, reject) => {
        current = spawn(process.execPath, [join(root, "bin/modelship.js"), ...args], {
          stdio: ["ignore", "pipe", "inherit"],
          ...options,
        });
        let stdout = "";
        current.stdout.on("data", (data) => {
          process.stdout.write(data);
          stdout += data;
        });
        current.on("error", reject);
        current.on("close", (code, signal) => {
          current = undefined;
          if (interrupted) reject(new SetupError("interrupted", 130));
          else if (code === 0) resolve(stdout.trim());
          else
            reject(
              new SetupError(`modelship ${args.join(" ")} ended with ${signal ?? `exit code ${code}`}.`),
            );
        });
      }),
  );
}

async function demo(env, docker, folder, containers, images) {
  // A name of its own: an image that the user has built as "digits" stays theirs, and is not what this demo removes.
  const name = `digits-${randomBytes(2).toString("hex")}`;
  const inFolder = { env, cwd: folder };
  const inProject = { env, cwd: join(folder, name) };
  const request = ["-i", "@examples/request.json"];

  await modelship(["init", name, "--template", "sklearn", "--yes"], inFolder);
  const built = JSON.parse(await modelship(["build", "--json"], inProject));
  images.push(...built.tags);
  const first = JSON.parse(await modelship(["run", "--detach", "--port", "0", "--json"], inProject));
  containers.push(first.id);
  const answer = await modelship(["predict", ...request], inProject);
  const tag = `${env.MODELSHIP_TEST_REGISTRY}/you/${name}:demo`;
  images.push(tag);
  const reference = await modelship(["push", tag], inProject);
  if (!/@sha256:[0-9a-f]{64}$/.test(reference))
    throw new SetupError(`push printed "${reference}" and no name@sha256:...`);
  images.push(reference);

  say("\n# The container and every local image of it go, so that the next run has to pull");
  await timed("remove", () => removeAll(docker, containers, images));
  if (await hasImage(docker, built.id)) throw new SetupError(`${built.id} is still there after its removal.`);

  const second = JSON.parse(
    await modelship(["run", reference, "--detach", "--port", "0", "--json"], inFolder),
  );
  containers.push(second.id);
  images.push(reference);
  const again = await modelship(["predict", "--url", second.url, ...request], inProject);
  if (again !== answer)
    throw new SetupError(`The pulled image answers otherwise than the built one:\n${again}\n${answer}`);
  return { reference, again };
}

async function removeAll(docker, containers, images) {
  for (const id of containers.splice(0)) await removeContainer(docker, id);
  const names = images.splice(0);
  // Tags first: an image goes with the last of its names.
  for (const name of names.reverse()) await removeImage(docker, name);
}

async function main() {
  const { values } = parseArgs({ options: { clean: { type: "boolean" } } });
  if (values.clean) return await withLock(clean);

  const start = performance.now();
  const added = await timed("set-up", () => ensure());
  const { docker } = await client();
  const env = { ...process.env, ...added };
  const folder = mkdtempSync(join(tmpdir(), "modelship-demo-"));
  const [containers, images] = [[], []];
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      interrupted = true;
      current?.kill("SIGINT");
    });
  }
  try {
    const { reference, again } = await demo(env, docker, folder, containers, images);
    say(`\nAnswer of the container that was pulled back as ${reference}:`);
    process.stdout.write(`${again}\n`);
  } finally {
    await removeAll(docker, containers, images).catch((error) => say(`Clean-up: ${error.message}`));
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
    say(`\n${times.map(([name, time]) => `${name} ${time}`).join(" · ")}`);
  }
  say(`Demo done in ${seconds(start)}`);
}

main().catch(fail);
