// The state that everybody starts from: an earlier version of the image, without weights, is in the registry, and the
// engine has built its dependencies. So nobody is timed with the base image or an installer of packages.
import { join } from "node:path";
import { measure } from "./measure.mjs";

export const codeImage = (project) => `modelship.local/${project.name}:code`;

export async function seed(engine, bench) {
  const { project, registry, repository, undo, folder, cli } = bench;
  const env = { ...process.env, ...engine.env, XDG_CACHE_HOME: join(folder, "seed-cache") };
  const options = { cwd: project.root, env, undo, times: join(folder, "times") };
  const run = (...args) => measure({ ...cli(...args), ...options });
  const code = codeImage(project);
  await run("build", "--no-bake", "--tag", code, "--json");
  await registry.reset();
  const name = `${registry.address}/${repository}`;
  await engine.docker.getImage(code).tag({ repo: name, tag: "seed" });
  await finish(await engine.docker.getImage(`${name}:seed`).push({ authconfig: {} }));
  // The same layers as modelship names them, should it name them otherwise.
  await run("push", `${name}:seed-modelship`, "--json");
  await registry.keepAs(engine.id, repository, ["seed", "seed-modelship"]);
}

/** A registry that keeps nothing has to be shown the code layers each time: by a ship that is not counted. */
export async function showNullRegistry(subject, bench) {
  const reference = `${bench.registry.address}/${bench.repository}:seed`;
  for (const { said, env, ...command } of subject.commands({ ...bench, reference }))
    await measure({
      ...command,
      env: { ...process.env, ...env },
      undo: bench.undo,
      times: join(bench.folder, "times"),
    });
}

async function finish(stream) {
  let text = "";
  for await (const chunk of stream) text = (text + chunk).slice(-10_000);
  const failed = text.split("\n").find((row) => row.includes('"errorDetail"'));
  if (failed) throw new Error(`The registry could not be seeded: ${failed}`);
}
