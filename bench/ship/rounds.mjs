// One round: everybody takes a turn at every size, so that a slow minute of the machine hits one round of each.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { mainSize } from "./options.mjs";
import { Registry } from "./registry.mjs";
import { codeImage, seed, showNullRegistry } from "./seed.mjs";
import { ship } from "./ship.mjs";

export async function oneRound({ round, all, engines, options, bench }) {
  const { project } = bench;
  const results = [];
  project.removeWeights();
  for (const engine of engines) {
    console.error(`Round ${round}: seeding through ${engine.title}`);
    await seed(engine, bench);
  }
  for (const size of options.sizes) {
    console.error(`Round ${round}: ${size} GB`);
    project.makeWeights(Math.round(size * 1e9), options.files);
    const isMain = size === mainSize(options.sizes);
    const here = { ...bench, code: codeImage(project), size, round };
    for (const subject of all.filter((one) => isMain || shownInGrowth(one, size))) {
      const states = isMain ? ["first", "nothing", "edit", "touch"] : ["first", "nothing"];
      await bench.registry.reset((subject.engine ?? engines[0]).id);
      results.push(...(await ship(subject, { ...here, states })));
      await leave(subject, here);
    }
    if (options.null && (isMain || size > 2)) results.push(...(await againstNull(all, here)));
  }
  for (const engine of engines) {
    await engine.forget(project.name);
    await engine.forgetCache();
  }
  return results;
}

const isPush = (subject) => subject.name === "modelship push";
const shownInGrowth = (subject, size) =>
  subject.tool === "floor" || isPush(subject) || (subject.tool === "docker" && size <= 2);

async function leave(subject, { project, registry }) {
  subject.leave?.();
  await subject.engine?.forget(project.name, [codeImage(project)]);
  await registry.stop();
}

/** Our own ceiling: nobody at the other end who hashes or writes. */
async function againstNull(all, bench) {
  const folder = join(bench.folder, "null");
  mkdirSync(folder, { recursive: true });
  const registry = new Registry({ kind: "null", folder, undo: bench.undo });
  const here = { ...bench, registry, states: ["first"] };
  const results = [];
  for (const subject of all.filter((one) => one.tool === "floor" || isPush(one))) {
    await registry.reset();
    if (subject.tool === "modelship") {
      subject.fresh();
      bench.project.renew();
      await showNullRegistry(subject, here);
    }
    results.push(...(await ship(subject, here)));
    await leave(subject, here);
  }
  return results;
}
