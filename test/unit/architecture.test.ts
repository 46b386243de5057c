import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/**
 * Who may import whom: the picture in the design, as data. A unit is a folder of src/ or a file at its top.
 * A new folder has to be entered here first; think of where it belongs before you do.
 */
const base = ["cache", "errors", "reporter", "package"];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  // the top
  cli: ["commands", "ui", ...base],
  index: ["scaffold", "project", "image", "weights", "deploy", "dev", "doctor", "keys", ...base],
  commands: [
    "scaffold",
    "detect",
    "project",
    "image",
    "weights",
    "deploy",
    "dev",
    "doctor",
    "keys",
    "ui",
    ...base,
  ],
  ui: base,
  // use cases and planning
  doctor: ["project", "image", "weights", "docker", "registry", "service", "exec", ...base],
  dev: ["deploy", "project", "image", "docker", "service", "exec", ...base],
  deploy: ["keys", "project", "image", "weights", "docker", "registry", "service", "exec", ...base],
  image: ["project", "weights", "docker", "registry", "exec", ...base],
  weights: ["project", "docker", "registry", ...base],
  keys: ["project", ...base],
  project: ["exec", ...base],
  scaffold: ["detect", "exec", ...base],
  // reads files of models, as data
  detect: base,
  // adapters
  service: base,
  registry: ["docker", "exec", ...base],
  docker: ["exec", ...base],
  exec: ["errors"],
  // what everyone stands on
  cache: [],
  package: ["errors"],
  reporter: ["errors"],
  errors: [],
};

/** Single imports that the table above would refuse, each with its reason. */
const exceptions: Readonly<Record<string, string>> = {
  "ui/output.ts -> commands/command.ts": "the contract of a command: what it gets and what it returns",
  "ui/json.ts -> commands/command.ts": "the contract of a command: what it gets and what it returns",
  "commands/login.ts -> registry/login.ts":
    "signing in is one exchange with a registry: there is nothing to plan",
  "commands/logout.ts -> registry/login.ts": "signing out is one change of a file: there is nothing to plan",
};

/** Packages and built-in modules that come in by one door. */
const doors: Readonly<Record<string, RegExp>> = {
  dockerode: /^docker\/client\.ts$/,
  execa: /^exec\.ts$/,
  inquirer: /^ui\/prompts\.ts$/,
  ora: /^ui\//,
  yauzl: /^detect\/zip\.ts$/,
  ejs: /^scaffold\/render\.ts$/,
  mustache: /^scaffold\/logic-less\.ts$/,
  commander: /^(cli\.ts|commands\/.*|ui\/usage\.ts)$/,
  "node:child_process": /^(exec\.ts|docker\/.*)$/,
};

/** Commands translate: whatever touches the world is a use case's. */
const notInCommands =
  /^(node:(fs|fs\/promises|net|http|https|child_process)|dockerode|execa|inquirer|ora|ejs)$/;

/** Commands whose result is not one text, each with its reason. */
const mayWrite: Readonly<Record<string, string>> = {
  "commands/predict.ts": "an answer that is no text goes out byte for byte",
  "commands/values.ts": "what a service writes to its stderr stays on stderr",
};

const wordsForNothing = /^(utils?|helpers|common|misc|shared)(\.ts)?$/i;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

interface Source {
  /** Relative to src/, with forward slashes. */
  path: string;
  unit: string;
  imports: { target: string; inside: boolean }[];
}

const sources = readSources();

function readSources(): Source[] {
  const entries = readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) =>
    path.replaceAll("\\", "/"),
  );
  return entries
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({
      path,
      unit: unitOf(path),
      imports: importsOf(path, readFileSync(join(root, path), "utf8")),
    }));
}

function unitOf(path: string): string {
  return (path.split("/")[0] ?? "").replace(/\.ts$/, "");
}

/** Static, dynamic, type-only and re-exporting imports: all of them bind two files together. */
function importsOf(path: string, text: string): Source["imports"] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern = /(?:\b(?:import|export)\b[^"'`;]*?\bfrom\s*|\bimport\s*\(\s*|^import\s+)["']([^"']+)["']/gm;
  return [...code.matchAll(pattern)].map((match) => {
    const specifier = match[1] ?? "";
    if (!specifier.startsWith(".")) return { target: specifier, inside: false };
    const target = normalize(join(dirname(path), specifier))
      .replaceAll("\\", "/")
      .replace(/\.js$/, ".ts");
    return { target, inside: true };
  });
}

function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

test("the sources were found", () => {
  expect(sources.length).toBeGreaterThan(30);
  expect(sources.find(({ path }) => path === "cli.ts")?.imports).toContainEqual({
    target: "commands/init.ts",
    inside: true,
  });
});

test("every folder of src/ has its place in the picture", () => {
  const unknown = [...new Set(sources.map(({ unit }) => unit))].filter((unit) => !(unit in mayImport));
  expect(unknown, "decide which layer it belongs to and enter it in this test's table").toEqual([]);
});

describe("imports go forward only", () => {
  test.each(Object.keys(mayImport))("%s", (unit) => {
    const wrong = sources
      .filter((source) => source.unit === unit)
      .flatMap((source) =>
        source.imports.filter(({ inside }) => inside).map(({ target }) => ({ source, target })),
      )
      .filter(({ target }) => unitOf(target) !== unit && !mayImport[unit]?.includes(unitOf(target)))
      .map(({ source, target }) => `${source.path} -> ${target}`)
      .filter((edge) => !(edge in exceptions));
    expect(
      wrong,
      `${unit}/ may import ${mayImport[unit]?.join(", ") || "nothing of ours"}. Pass what is needed in, or move the code to where it belongs`,
    ).toEqual([]);
  });

  test("every exception is still needed", () => {
    const edges = new Set(
      sources.flatMap(({ path, imports }) => imports.map(({ target }) => `${path} -> ${target}`)),
    );
    expect(Object.keys(exceptions).filter((edge) => !edges.has(edge))).toEqual([]);
  });
});

describe("each package has one door", () => {
  test.each(Object.entries(doors))("%s", (name, door) => {
    const intruders = sources
      .filter(({ path }) => !door.test(path))
      .filter(({ imports }) => imports.some(({ target, inside }) => !inside && packageOf(target) === name))
      .map(({ path }) => path);
    expect(intruders, `${name} is imported only by ${door.source}: ask that module instead`).toEqual([]);
  });
});

test("commands touch neither files, nor sockets, nor the engine", () => {
  const wrong = sources
    .filter(({ unit }) => unit === "commands")
    .flatMap(({ path, imports }) => imports.map(({ target }) => ({ path, target })))
    .filter(({ target }) => notInCommands.test(target))
    .map(({ path, target }) => `${path} -> ${target}`);
  expect(wrong, "a command turns flags into options, calls one use case and returns its result").toEqual([]);
});

test("use cases and adapters neither print nor exit", () => {
  const wrong = sources
    .filter(({ unit, path }) => unit !== "cli" && unit !== "ui" && !(path in mayWrite))
    .filter(({ path }) =>
      /\bprocess\.(exit|exitCode|stdout|stderr)\b|\bconsole\.\w+\(/.test(
        readFileSync(join(root, path), "utf8"),
      ),
    )
    .map(({ path }) => path);
  expect(wrong, "report an event or throw a UserError; ui/ prints and cli.ts sets the exit code").toEqual([]);
});

test("no file takes part in a cycle of imports", () => {
  const edges = new Map(sources.map(({ path, imports }) => [path, imports.filter((one) => one.inside)]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(" -> "));
    if (start >= 0 || finished.has(path)) return;
    for (const { target } of edges.get(path) ?? []) walk(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  expect(cycles, "move what both need into a file of its own; a type-only import counts too").toEqual([]);
});

test("names say what is inside", () => {
  const empty = sources.filter(({ path }) => path.split("/").some((part) => wordsForNothing.test(part)));
  expect(
    empty.map(({ path }) => path),
    "name the file after the one thing that it does",
  ).toEqual([]);
});
