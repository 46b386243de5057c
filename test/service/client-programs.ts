import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { packagePath } from "../../src/package.js";
import { modelship, run } from "../setup/cli.js";
import { folderWith } from "../setup/folder.js";
import { servicePython } from "../setup/service.js";

export type Language = "python" | "typescript";
export const languages: readonly Language[] = ["python", "typescript"];

const extension = { python: "py", typescript: "ts" } as const;

/** Makes the client of a running service, as a user does. */
export async function makeClient(
  language: Language,
  url: string,
  folder: string,
  env: NodeJS.ProcessEnv = {},
  name = "client",
) {
  const output = join(folder, `${name}.${extension[language]}`);
  const made = await modelship(["client", language, "--url", url, "--output", output], { cwd: folder, env });
  expect(made, made.stderr).toMatchObject({ code: 0 });
  return output;
}

/**
 * Runs a program beside the client of a service, and returns what it prints, a JSON value a line. In both languages
 * `show(value)` prints one, and `told(work)` what an error of the work says of itself.
 */
export async function program(language: Language, url: string, text: string, env: NodeJS.ProcessEnv = {}) {
  const folder = await folderWith({ "package.json": '{"type": "module"}' });
  await makeClient(language, url, folder, env);
  const said = language === "python" ? await python(folder, text, env) : await typescript(folder, text, env);
  expect(said.code, said.stdout + said.stderr).toBe(0);
  return said.stdout
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

async function python(folder: string, text: string, env: NodeJS.ProcessEnv) {
  const head = `import asyncio, json, time
from client import *
from client import AsyncClient, Client

def show(*values):
    print(json.dumps(values[0] if len(values) == 1 else values), flush=True)

def told(work):
    try:
        work()
    except Exception as error:
        show(type(error).__name__, *(getattr(error, name, None) for name in ("status", "code")))

`;
  await writeFile(join(folder, "program.py"), head + text);
  return run(servicePython(), ["-W", "error", "program.py"], {
    cwd: folder,
    env: { ...env, PYTHONDONTWRITEBYTECODE: "1" },
  });
}

async function typescript(folder: string, text: string, env: NodeJS.ProcessEnv) {
  const head = `import { Client } from "./client.js";

const show = (...values: unknown[]) => console.log(JSON.stringify(values.length === 1 ? values[0] : values));
const told = async (work: () => Promise<unknown>) => {
  try {
    await work();
  } catch (error) {
    const { status = null, code = null } = error as { status?: number; code?: string };
    show((error as Error).name, status, code);
  }
};

`;
  await writeFile(join(folder, "program.ts"), head + text);
  const compiled = await compile(folder, ["program.ts"], "out");
  expect(compiled.code, compiled.stdout).toBe(0);
  return run(process.execPath, ["out/program.js"], { cwd: folder, env });
}

/** As strict as the compiler can be; \`out\`: where JavaScript goes, without it types are checked alone. */
export async function compile(folder: string, files: readonly string[], out?: string) {
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noImplicitOverride: true,
    noImplicitReturns: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    erasableSyntaxOnly: true,
    target: "es2022",
    module: "nodenext",
    lib: ["es2022", "dom"],
    types: [],
    ...(out ? { outDir: out } : { noEmit: true }),
  };
  const config = join(folder, "tsconfig.json");
  await mkdir(dirname(config), { recursive: true });
  await writeFile(config, JSON.stringify({ compilerOptions, files }));
  return run(process.execPath, [packagePath("node_modules/typescript/bin/tsc"), "-p", config], {
    cwd: folder,
  });
}
