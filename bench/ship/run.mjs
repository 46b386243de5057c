// How long weights take to a registry: modelship beside docker, skopeo, crane, oras and one bare upload, in one run.
// `node bench/ship/run.mjs --help`. Linux, with an engine; the compiled CLI (node scripts/compile.mjs) is what is measured.
// Everything it starts it ends, and what it made it removes, also after an error or Ctrl-C.
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { install, isDebianRoot } from "../../scripts/setup/apt.mjs";
import { dockerSubjects } from "./docker.mjs";
import { openEngine } from "./engine.mjs";
import { floorSubject } from "./floor-subject.mjs";
import { copyCli, modelshipSubjects } from "./modelship.mjs";
import { mainSize, readOptions, usage } from "./options.mjs";
import { craneSubject, findPeer, orasSubject, skopeoSubjects } from "./peers.mjs";
import { Project } from "./project.mjs";
import { Registry } from "./registry.mjs";
import { report } from "./report.mjs";
import { oneRound } from "./rounds.mjs";
import { Undo } from "./undo.mjs";

const GB = 1e9;

async function main(options, undo) {
  const load = loadavg()[0];
  const folder = mkdtempSync(join(resolve(options.folder), "modelship-ship-"));
  undo.add(() => rmSync(folder, { recursive: true, force: true }));
  enoughDisk(folder, options);

  if (options.registry === "docker-registry" && isDebianRoot()) await install("docker-registry");
  const peers = {};
  for (const name of ["skopeo", "crane", "oras"])
    if (options.tools.includes(name) || (name === "crane" && options.registry === "go-containerregistry"))
      peers[name] = await findPeer(name, options.cache);
  const project = new Project(folder, `ship-${randomBytes(4).toString("hex")}`);
  const inFolder = (name) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const registry = new Registry({
    kind: options.registry,
    folder: inFolder("registry"),
    undo,
    crane: peers.crane,
  });
  const cli = copyCli(inFolder("cli"));
  const bench = { project, registry, repository: project.name, undo, folder, cli };
  await registry.start();

  const engines = [];
  for (const id of options.engines) {
    const engine = await openEngine(id, undo);
    engines.push(engine);
    await engine.remember();
    undo.add(async () => {
      await engine.forget(project.name);
      await engine.forgetCache();
    });
  }

  const all = subjects({ options, engines, peers, cli, folder: inFolder("tools") });
  const results = [];
  for (let round = 1; round <= options.rounds; round++)
    results.push(...(await oneRound({ round, all, engines, options, bench })));
  const whole = { options, results, engines, registry, peers, load: [load, loadavg()[0]] };
  console.log(report(whole));
  if (options.out) writeFileSync(options.out, `${JSON.stringify({ options, results }, null, 1)}\n`);
  if (results.some((result) => result.failed)) process.exitCode = 1;
}

function subjects({ options, engines, peers, cli, folder }) {
  const has = (tool) => options.tools.includes(tool);
  return [
    ...(has("floor") ? [floorSubject()] : []),
    ...engines.flatMap((engine) => [
      ...(has("modelship") ? modelshipSubjects({ engine, folder, cli }) : []),
      ...(has("docker") ? dockerSubjects({ engine, builders: options.builders, folder }) : []),
    ]),
    ...(has("oras") && peers.oras ? [orasSubject({ peer: peers.oras, folder })] : []),
    ...(has("skopeo") && peers.skopeo ? skopeoSubjects({ peer: peers.skopeo, folder }) : []),
    ...(has("crane") && peers.crane ? [craneSubject({ peer: peers.crane, folder })] : []),
  ];
}

/** What a round leaves in the engines goes at its end: contexts, layers and blobs of docker, layers of a baked build. */
function enoughDisk(folder, { sizes, engines, builders }) {
  const { bavail, bsize } = statfsSync(folder);
  const main = mainSize(sizes) * (4 * engines.length * builders.length + 5);
  const needed = Math.max(main, ...sizes.map((size) => size * 3)) * GB + 2 * GB;
  if (bavail * bsize < needed)
    throw new Error(
      `${folder} has ${Math.floor((bavail * bsize) / GB)} GB left; these sizes take ${Math.ceil(needed / GB)} GB.`,
    );
}

const undo = new Undo();
try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else await main(options, undo);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await undo.all();
}
