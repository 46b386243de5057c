// The command under test: bin/modelship.js, as it is compiled in dist/.
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** A copy, so that a compilation meanwhile does not change what is measured. Returns how a command is run. */
export function copyCli(folder) {
  if (!existsSync(join(root, "dist/cli.js"))) throw new Error("dist/ is not there: node scripts/compile.mjs");
  for (const name of ["bin", "dist", "templates", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const bin = join(folder, "bin/modelship.js");
  return (...args) => ({ command: process.execPath, args: [bin, ...args] });
}

/** The ways to ship. The first is the whole thing in one command, the second what other tools send: no SBOM, no provenance. */
export function modelshipSubjects({
  engine,
  folder,
  cli,
  variants = ["push", "no-attest", "no-bake", "baked"],
}) {
  return variants.map((variant) => subject({ engine, folder, cli, variant }));
}

const builds = { "no-bake": ["build", "--no-bake"], baked: ["build"] };

function subject({ engine, folder, cli, variant }) {
  const cache = join(folder, "modelship-cache");
  const build = builds[variant];
  const flags = variant === "no-attest" ? ["--no-attest"] : [];
  const names = {
    push: "push",
    "no-attest": "push --no-attest",
    "no-bake": "build --no-bake, push",
    baked: "build, push",
  };
  return {
    tool: "modelship",
    name: `modelship ${names[variant]}`,
    engine,
    tag: "modelship",
    states: variant === "no-attest" ? ["first"] : ["first", "nothing", "edit", "touch"],
    /** Before a first ship: nothing is remembered of earlier ones. */
    fresh() {
      rmSync(cache, { recursive: true, force: true });
      mkdirSync(cache, { recursive: true });
    },
    commands({ project, reference }) {
      const env = { ...engine.env, XDG_CACHE_HOME: cache };
      const options = { cwd: project.root, env };
      return [
        ...(build ? [{ part: "build", ...cli(...build, "--json"), ...options }] : []),
        { part: "push", ...cli("push", reference, "--json", ...flags), ...options, said },
      ];
    },
  };
}

function said(stdout) {
  const { bytesSent, bytesSkipped, bytesMounted, seconds } = JSON.parse(stdout);
  return { bytesSent, bytesSkipped, bytesMounted, seconds };
}
