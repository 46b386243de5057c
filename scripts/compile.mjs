// Compiles src/ to dist/ and writes the published JSON Schema. Plain Node: it runs before anything is compiled.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
const tsc = spawnSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"],
  {
    cwd: root,
    stdio: "inherit",
  },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const { projectJsonSchema } = await import(pathToFileURL(join(root, "dist/project/schema.js")).href);
writeFileSync(join(root, "dist/modelship.schema.json"), `${JSON.stringify(projectJsonSchema(), null, 2)}\n`);
