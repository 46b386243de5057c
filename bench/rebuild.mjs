// How long builds take: nothing cached in the project, nothing changed, one line of model.py changed.
// `node bench/rebuild.mjs`; needs an engine, and MODELSHIP_IMAGE_BASE where no public registry is in reach.
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const bin = join(import.meta.dirname, "../bin/modelship.js");
const folder = mkdtempSync(join(tmpdir(), "modelship-bench-"));
const project = join(folder, "bench-rebuild");
const tags = new Set();

function modelship(args) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args, "--json"], { cwd: folder });
  if (status !== 0) throw new Error(`modelship ${args.join(" ")} exited with ${status}\n${stderr}`);
  return { wall: (performance.now() - started) / 1000, ...JSON.parse(stdout) };
}

function build() {
  const result = modelship(["build", "--project", project, ...process.argv.slice(2)]);
  for (const tag of result.tags) tags.add(tag);
  return result;
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  modelship(["init", "bench-rebuild", "--template", "sklearn", "--yes"]);
  console.log(`first build             ${build().wall.toFixed(2)} s`);
  const unchanged = Array.from({ length: 7 }, () => build().wall);
  console.log(`nothing changed         ${median(unchanged).toFixed(2)} s (median of 7)`);
  const edited = Array.from({ length: 7 }, (_, run) => {
    appendFileSync(join(project, "model.py"), `# edit ${run} ${Date.now()}\n`);
    return build().wall;
  });
  console.log(`one line of model.py    ${median(edited).toFixed(2)} s (median of 7)`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
