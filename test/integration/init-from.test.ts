import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { packagePath } from "../../src/package.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";

/** From a model's file to an answer of its service, with nothing written by hand. */
let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

it.each([
  ["onnx", "onnx/model/wine.onnx", (answer: object) => expect(answer).toHaveProperty("probabilities")],
  ["sklearn", "sklearn/model/digits.skops", (answer: object) => expect(answer).toHaveProperty("label")],
])("init --from a model of %s, run, predict", async (kind, path, check) => {
  const folder = await mkdtemp(join(tmpdir(), "modelship-from-"));
  const name = `from-${kind}`;
  cleanImagesOf(engine, name);
  const project = join(folder, name);
  onTestFinished(async () => {
    await modelship(["stop", "--all"], { cwd: project });
    await rm(folder, { recursive: true, force: true });
  });
  const from = packagePath(`templates/projects/${path}`);
  const init = await modelship(["init", name, "--from", from, "--yes"], { cwd: folder });
  expect(init.code, init.stderr).toBe(0);
  const run = await modelship(["run", "--detach", "--port", "0", ...networkFlags], { cwd: project });
  expect(run.code, run.stderr).toBe(0);
  const predict = await modelship(["predict", "-i", "@examples/request.json"], { cwd: project });
  expect(predict.code, predict.stderr).toBe(0);
  check(JSON.parse(predict.stdout));
});
