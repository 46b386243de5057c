// Compiles src/ to dist/ and the Node service to dist/service-node/, and writes the published JSON Schema.
// Plain Node: it runs before anything is compiled.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
compile("tsconfig.build.json");
compile("templates/service/node/tsconfig.json");
// Both services show the same pages.
const web = join(root, "templates/service/python/modelship_service/web");
cpSync(web, join(root, "dist/service-node/web"), { recursive: true });

const { projectJsonSchema } = await import(pathToFileURL(join(root, "dist/project/schema.js")).href);
writeFileSync(join(root, "dist/modelship.schema.json"), `${JSON.stringify(projectJsonSchema(), null, 2)}\n`);

function compile(config) {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const tsc = spawnSync(process.execPath, [compiler, "-p", config], { cwd: root, stdio: "inherit" });
  if (tsc.status !== 0) process.exit(tsc.status ?? 1);
}
