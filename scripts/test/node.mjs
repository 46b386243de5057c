// The templates in TypeScript, as init writes them: their own test and their types, with the packages of their lock.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { npm } from "../setup/dependencies.mjs";
import { unpacked, versions } from "../setup/node-base.mjs";
import { ALREADY, say, step } from "../setup/say.mjs";
import { run } from "../setup/shell.mjs";
import { root, statePath } from "../setup/state.mjs";
import { runQuietly, withReports } from "./quiet.mjs";

const home = join(root, "templates/projects");

export function isNodeTemplate(folder) {
  return existsSync(join(folder, "package.json.ejs"));
}

export async function runNodeTemplates(env) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const node = await nodeForTypeScript();
  const path = [dirname(node), env.PATH ?? process.env.PATH].join(delimiter);
  await withReports(async (folder) => {
    for (const name of readdirSync(home).filter((one) => isNodeTemplate(join(home, one)))) {
      const cwd = join(folder, name);
      const init = ["init", name, "--template", name, "--dir", cwd, "--yes"];
      await run(process.execPath, [join(root, "bin/modelship.js"), ...init], { env, cwd: folder });
      await step(`packages of the template ${name}`, () =>
        npm(["ci", "--no-audit", "--no-fund"], { cwd, env: { ...env, ONNXRUNTIME_NODE_INSTALL: "skip" } }),
      );
      for (const args of [["--test", "model.test.ts"], ["node_modules/typescript/bin/tsc"]]) {
        const code = await runQuietly(node, args, { folder, cwd, env: { ...env, PATH: path } });
        total[code === 0 ? "passed" : "failed"] += 1;
        say(`template ${name}: node ${args.join(" ")}: ${code === 0 ? "passed" : "failed"}`);
      }
    }
  });
  return total;
}

/** This Node, where it runs TypeScript; else one of npm's packages, kept in the state folder. */
async function nodeForTypeScript() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  const kept = statePath("node", versions.node);
  await step(`Node ${versions.node} for TypeScript`, async () => {
    if (existsSync(kept)) return ALREADY;
    const part = `${kept}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part, { recursive: true });
    const found = await unpacked(part, `node-${process.platform}-${process.arch}@${versions.node}`);
    renameSync(found, kept);
    rmSync(part, { recursive: true, force: true });
  });
  return join(kept, "bin/node");
}
