import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpus } from "./hostile/corpus.js";

/** The promise of docs: whatever the file is, an answer within this. */
const mostMilliseconds = 10_000;
const mostMegabytes = 500;

interface Outcome {
  found?: { kind: string; warnings: string[] }[];
  error?: string;
  code?: string;
  message?: string;
  milliseconds: number;
  /** Megabytes that the process has had at most so far. */
  peak: number;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
// Below node_modules, as compiled files ask for packages from there
const compiled = join(root, "node_modules", ".cache", "modelship-detect");
const folder = mkdtempSync(join(tmpdir(), "hostile-"));
const canary = join(folder, "canary");

let child: ChildProcess;
let lines: AsyncIterator<string>;
let reader: Interface;

function start(): void {
  child = spawn(
    process.execPath,
    [
      "--max-old-space-size=400",
      join(root, "test/unit/detect/hostile/detect-each.mjs"),
      join(compiled, "detect/detect.js"),
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  reader = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines = reader[Symbol.asyncIterator]();
}

async function detect(path: string): Promise<Outcome> {
  if (child.exitCode !== null || child.signalCode !== null) start();
  child.stdin?.write(`${JSON.stringify(path)}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error("the process that detects ended");
  return JSON.parse(value) as Outcome;
}

beforeAll(() => {
  rmSync(compiled, { recursive: true, force: true });
  execFileSync(process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-p",
    join(root, "tsconfig.build.json"),
    "--outDir",
    compiled,
  ]);
  start();
}, 120_000);

afterAll(() => {
  child.kill();
  rmSync(folder, { recursive: true, force: true });
  rmSync(compiled, { recursive: true, force: true });
});

test("there are over 200 of them, each with a name of its own", () => {
  expect(corpus.length).toBeGreaterThan(200);
  expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
});

describe("ends in time, in little memory, with an answer or a clear error, and runs nothing", () => {
  test.each(corpus.map((file, index) => ({ ...file, index })))(
    "$name",
    async ({ make, expected, index }) => {
      const own = join(folder, String(index));
      mkdirSync(own);
      const path = make(own, canary);
      const outcome = await detect(path);
      rmSync(own, { recursive: true, force: true });

      expect(existsSync(canary), "something in the file was run").toBe(false);
      expect(outcome.milliseconds).toBeLessThan(mostMilliseconds);
      expect(outcome.peak).toBeLessThan(mostMegabytes);
      if (outcome.error) expect(outcome).toMatchObject({ error: "UserError", code: "model_file" });

      if (expected === "error") expect(outcome.code).toBe("model_file");
      else if (expected === "unknown") expect(outcome.found).toEqual([]);
      else if (expected) {
        expect(outcome.found?.flatMap(({ warnings }) => warnings)).toContainEqual(
          expect.stringMatching(expected.warning),
        );
      }
    },
    60_000,
  );
});
