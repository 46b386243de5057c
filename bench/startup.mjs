// How long the command line takes to answer, as a ratio to Node's own start. `node bench/startup.mjs [runs]`
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const bin = join(import.meta.dirname, "../bin/modelship.js");
const runs = Number(process.argv[2] ?? 31);
const commands = {
  "node -e 0": ["-e", "0"],
  "modelship --version": [bin, "--version"],
  "modelship --help": [bin, "--help"],
  "modelship build --help": [bin, "build", "--help"],
};
const limits = { "modelship --version": 1.6, "modelship --help": 2 };

const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
// Interleaved, so that a slow second of the machine hits all of them; the first round warms the file cache.
for (let run = -1; run < runs; run++) {
  for (const [name, args] of Object.entries(commands)) {
    const started = performance.now();
    const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
    if (status !== 0) throw new Error(`${name} exited with ${status}`);
    if (run >= 0) times[name].push(performance.now() - started);
  }
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const floor = median(times["node -e 0"]);
console.log(`Node ${process.versions.node}, ${runs} runs each, medians`);
let missed = false;
for (const name of Object.keys(commands)) {
  const time = median(times[name]);
  const limit = limits[name];
  const over = limit !== undefined && time / floor > limit;
  missed ||= over;
  const verdict = limit === undefined ? "" : `  (at most ${limit}x${over ? ": MISSED" : ""})`;
  console.log(
    `${name.padEnd(24)} ${time.toFixed(1).padStart(7)} ms  ${(time / floor).toFixed(2)}x${verdict}`,
  );
}
process.exitCode = missed ? 1 : 0;
