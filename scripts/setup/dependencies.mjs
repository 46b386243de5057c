// node_modules as the lock file says, and dist/ as src/ says; nothing is done twice.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ALREADY, step } from "./say.mjs";
import { run } from "./shell.mjs";
import { root } from "./state.mjs";

const readLock = (path) => JSON.parse(readFileSync(join(root, path), "utf8")).packages;

/** npm keeps what it installed in a lock file of its own; packages for other platforms are not in it. */
function matchesLock() {
  if (!existsSync(join(root, "node_modules/.package-lock.json"))) return false;
  const have = readLock("node_modules/.package-lock.json");
  return Object.entries(readLock("package-lock.json")).every(([path, { version, optional }]) => {
    if (path === "" || (optional && !have[path])) return true;
    return have[path]?.version === version;
  });
}

const newest = (path) => {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  // A folder's own time tells of files that were taken out of it.
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), mtimeMs);
};

function isCompiled() {
  const last = join(root, "dist/modelship.schema.json"); // written at the end
  const sources = [
    ...["src", "templates/service/node/src", "templates/service/python/modelship_service/web"],
    ...["tsconfig.json", "tsconfig.build.json", "package-lock.json", "scripts/compile.mjs"],
  ];
  return existsSync(last) && sources.every((path) => newest(join(root, path)) < statSync(last).mtimeMs);
}

/** npm itself, also where it is a script that only a shell can start. */
export function npm(args, options) {
  const script = process.env.npm_execpath;
  if (script && /\.c?js$/.test(script)) return run(process.execPath, [script, ...args], options);
  return run("npm", args, { ...options, shell: process.platform === "win32" });
}

export async function ensurePackages() {
  await step("npm packages of the lock file", async () => {
    if (matchesLock()) return ALREADY;
    await npm(["ci", "--no-audit", "--no-fund"], { cwd: root });
  });
}

export async function ensureCompiled() {
  await step("compiled src/ and the Node service", async () => {
    if (isCompiled()) return ALREADY;
    await run(process.execPath, [join(root, "scripts/compile.mjs")], { cwd: root });
  });
}
