// What becomes of a push on a registry's bad days, as a table: node bench/faults.mjs [--slow-commit SECONDS]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { "slow-commit": { type: "string" } } });
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = mkdtempSync(join(tmpdir(), "modelship-faults-"));
try {
  // The stand-in registry is part of the tests, so it is compiled for this run alone.
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: { noEmit: false, rootDir: root, outDir: folder },
      include: [],
      files: [join(root, "test/setup/stand-in/fault-table.ts")],
    }),
  );
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [compiler, "-p", folder], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
  const table = await import(pathToFileURL(join(folder, "test/setup/stand-in/fault-table.js")).href);
  const slow = values["slow-commit"];
  console.log("| fault | registry | outcome | MB sent twice (of 136) | seconds |\n|---|---|---|---|---|");
  for await (const row of table.faultTable(slow === undefined ? {} : { slowCommit: Number(slow) })) {
    const { fault, manner, outcome, bytesTwice, seconds, sound } = row;
    const result = sound ? outcome : `${outcome} (AND KEEPS WRONG BYTES)`;
    console.log(
      `| ${fault} | ${manner} | ${result} | ${(bytesTwice / 1e6).toFixed(1)} | ${seconds.toFixed(1)} |`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
