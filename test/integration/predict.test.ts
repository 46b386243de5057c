import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ServiceLabel } from "../../src/deploy/labels.js";
import type { Engine } from "../../src/docker/client.js";
import { inspectContainer, listContainers, removeContainer } from "../../src/docker/containers.js";
import { removeImage } from "../../src/docker/images.js";
import { Label } from "../../src/image/label-names.js";
import { modelship } from "../setup/cli.js";
import { networkFlags, testEngine } from "../setup/engine.js";
import { buildFakeService } from "../setup/fake-service.js";
import { folderWith } from "../setup/folder.js";
import { bin, cli } from "../setup/running-cli.js";

const image = "modelship-test/answers:1";
const forProject = "answers:code";
let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
  await buildFakeService(engine, image, { [Label.name]: "answers" });
  await buildFakeService(engine, forProject, { [Label.name]: "answers", [Label.weights]: "mounted" });
  await removeAll();
});
afterEach(() => removeAll());
afterAll(async () => {
  for (const tag of [image, forProject]) await removeImage(engine, tag, { force: true });
});

async function containers() {
  const ours = await listContainers(engine, [ServiceLabel.name], { all: true });
  return ours.filter(({ name }) => name.startsWith("answers"));
}

async function removeAll() {
  for (const { id } of await containers()) await removeContainer(engine, id);
}

const project = () =>
  folderWith({
    "modelship.yaml": "name: answers\nversion: 1.0.0\n",
    "model.py": "class Model: pass\n",
    "requirements.txt": "",
    "model/weights.txt": "0.25",
    "examples/request.json": '{"rows": [1, 2, 3]}\n',
    "bad.json": '{\n  "rows": [1,]\n}\n',
    "no-rows.json": "{}",
  });

const running = (...more: string[]) => ["run", image, "--port", "0", ...networkFlags, ...more];

describe("from a project to an answer, on the command line", () => {
  test("run --detach, predict, ps, logs, stop", async () => {
    const cwd = await project();
    const run = await modelship(["run", "--no-build", "--detach", "--port", "0", ...networkFlags], { cwd });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
    const url = run.stdout.trim();
    expect(run.stderr).toContain(
      `curl ${url}/v1/predict -H "content-type: application/json" -d @examples/request.json`,
    );

    const answer = await modelship(["predict", "-i", "@examples/request.json"], { cwd });
    expect(answer).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(answer.stdout)).toMatchObject({ rows: 3, weights: "0.25" });
    expect(JSON.parse((await modelship(["predict", "-i", '{"rows":[]}'], { cwd })).stdout)).toMatchObject({
      rows: 0,
    });
    expect(
      JSON.parse((await modelship(["predict", "-i", "-"], { cwd, input: '{"rows":[1]}' })).stdout),
    ).toMatchObject({ rows: 1 });
    const example = await modelship(["predict", "--json"], { cwd });
    expect(JSON.parse(example.stdout)).toMatchObject({ rows: 3 });
    expect(example.stderr).toContain("examples/request.json");
    const elsewhere = await folderWith({});
    expect((await modelship(["predict", "-i", '{"rows":[1]}', "--url", url], { cwd: elsewhere })).code).toBe(
      0,
    );

    const services = JSON.parse((await modelship(["ps", "--json"], { cwd })).stdout).services;
    expect(services.find(({ name }: { name: string }) => name === "answers")).toMatchObject({
      url,
      state: "ready",
    });
    expect((await modelship(["ps"], { cwd })).stdout).toMatch(
      /^NAME +IMAGE +URL +STATE +AGE\n[\s\S]*answers/,
    );

    const logs = await modelship(["logs"], { cwd });
    expect(logs).toMatchObject({ code: 0, stdout: expect.stringContaining('{"event": "predicted"}\n') });
    expect(logs.stderr).toContain("warned\n");
    expect(JSON.parse((await modelship(["logs", "--json", "--tail", "1"], { cwd })).stdout)).toMatchObject({
      name: "answers",
      lines: [expect.anything()],
    });

    expect(await modelship(["stop"], { cwd })).toMatchObject({ code: 0, stdout: "answers\n" });
    expect(await containers()).toEqual([]);
    const nothing = await modelship(["stop", "--json"], { cwd });
    expect(nothing.code).toBe(0);
    expect(JSON.parse(nothing.stdout)).toMatchObject({ stopped: [] });
    const gone = await modelship(["predict", "--json"], { cwd });
    expect(gone.code).toBe(5);
    expect(JSON.parse(gone.stdout).error).toMatchObject({
      code: "service_unreachable",
      hint: expect.stringContaining("modelship run --detach"),
    });
  });

  test("what is wrong with a request is said in the service's words, or before it is sent", async () => {
    const cwd = await project();
    const { stdout } = await modelship(running("--detach", "--json"), { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      id: expect.any(String),
      name: "answers",
      url: expect.any(String),
    });
    const predict = (...args: string[]) => modelship(["predict", ...args], { cwd });

    const rejected = await predict("-i", "@no-rows.json");
    expect(rejected).toMatchObject({ code: 5, stdout: "" });
    expect(rejected.stderr).toContain("The request does not fit.");
    expect(rejected.stderr).toContain("rows: is missing");
    const bad = await predict("-i", "@bad.json");
    expect(bad).toMatchObject({ code: 2, stdout: "" });
    expect(bad.stderr).toContain("bad.json, line 2, column 14");
    expect(await predict("-i", "@absent.json")).toMatchObject({ code: 2 });
    const nobody = await predict("-i", "{}", "--url", "http://127.0.0.1:9");
    expect(nobody).toMatchObject({ code: 5, stdout: "" });
    expect(nobody.stderr).toContain("Nothing listens there.");
  });

  test("a key comes from the environment alone, bytes come out as they are", async () => {
    const cwd = await folderWith({});
    const env = { KEY: "canary-9", MODE: "bytes" };
    const run = await modelship(running("--detach", "-e", "KEY", "--name", "answers-key"), { cwd, env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).not.toContain("canary-9");
    const predict = (key?: string) =>
      modelship(["predict", "-i", '{"rows":[1]}', "--name", "answers-key"], {
        cwd,
        env: { MODELSHIP_API_KEY: key },
      });
    const refused = await predict();
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain("MODELSHIP_API_KEY");
    expect((await predict("canary-9")).code).toBe(0);

    const raw = await modelship(running("--detach", "-e", "MODE", "--name", "answers-raw"), { cwd, env });
    expect(raw.code, raw.stderr).toBe(0);
    const child = spawn(process.execPath, [bin, "predict", "-i", "{}", "--name", "answers-raw"], { cwd });
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  });
});

describe("run on the command line", () => {
  test("stays in the foreground: URL on stdout, logs on stderr, Ctrl-C ends it with 0", async () => {
    const run = cli(running(), { cwd: await folderWith({}) });
    await run.until("stdout", /http:.*\n/);
    await run.until("stderr", /"event": "starting"/);
    run.process.kill("SIGINT");
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
    expect(stderr).toContain('"event": "drained"');
    expect(await containers()).toEqual([]);
  });

  test("with --json prints its document when it is ready, with --json=events a line for each thing", async () => {
    const cwd = await folderWith({});
    const one = cli(running("--json"), { cwd });
    await one.until("stdout", /^}\n/m);
    expect(JSON.parse(one.stdout())).toMatchObject({ schema: "modelship.run/1", name: "answers" });
    one.process.kill("SIGTERM");
    expect(await one.ended).toMatchObject({ code: 0 });
    expect(JSON.parse(one.stdout())).toMatchObject({ name: "answers" });

    const events = cli(running("--json=events"), { cwd });
    await events.until("stdout", /"url"[\s\S]*starting/);
    events.process.kill("SIGINT");
    expect((await events.ended).code).toBe(0);
    for (const line of events.stdout().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("type");
  });

  test("Ctrl-C while it waits ends with 130 and leaves no container", async () => {
    const run = cli(running("-e", "MODE=never"), { cwd: await folderWith({}) });
    await run.until("stderr", /Wait until answers is ready/);
    await sleep(300);
    expect(await containers()).toHaveLength(1);
    run.process.kill("SIGINT");
    expect(await run.ended).toMatchObject({ code: 130, stdout: "" });
    expect(await containers()).toEqual([]);
  });

  test("a second Ctrl-C does not wait for a service that does not stop", async () => {
    const run = cli(running("-e", "MODE=stubborn", "--drain", "60"), { cwd: await folderWith({}) });
    await run.until("stdout", /http:.*\n/);
    run.process.kill("SIGINT");
    await run.until("stderr", /Stop answers/);
    await sleep(500);
    const started = performance.now();
    run.process.kill("SIGINT");
    expect(await run.ended).toMatchObject({ code: 130 });
    expect(performance.now() - started).toBeLessThan(3000);
    await sleep(500);
    expect(await containers()).toEqual([]);
  });

  test("the same Ctrl-C twice, as npx passes it on, is one Ctrl-C", async () => {
    const run = cli(running(), { cwd: await folderWith({}) });
    await run.until("stdout", /http:.*\n/);
    run.process.kill("SIGINT");
    await sleep(20);
    run.process.kill("SIGINT");
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(await containers()).toEqual([]);
  });

  test("a model that does not load: the traceback, exit code 5, nothing on stdout", async () => {
    const said = await modelship(running("-e", "MODE=dies"), { cwd: await folderWith({}) });
    expect(said).toMatchObject({ code: 5, stdout: "" });
    expect(said.stderr).toContain("The model of answers did not load.");
    expect(said.stderr.match(/ValueError: the weights are not for this model/g)).toHaveLength(2);
    expect(await containers()).toEqual([]);
  });

  test("arguments after -- are the service's, and flags are checked", async () => {
    const cwd = await folderWith({});
    const run = await modelship(running("--detach", "--", "--workers", "2"), { cwd });
    expect(run.code, run.stderr).toBe(0);
    const answer = await modelship(["predict", "-i", '{"rows":[]}', "--url", run.stdout.trim()], { cwd });
    expect(JSON.parse(answer.stdout)).toMatchObject({ arguments: ["--workers", "2"] });
    for (const bad of [
      ["--port", "many"],
      ["--memory", "lots"],
      ["--gpus", "none"],
      ["two", "three"],
      ["--env", "=x"],
    ]) {
      expect([bad, (await modelship([...running(), ...bad], { cwd })).code]).toEqual([bad, 2]);
    }
    expect(await modelship(["run"], { cwd })).toMatchObject({ code: 2 });
  });

  test("logs -f ends when its reader leaves, and when the service ends", async () => {
    const cwd = await folderWith({});
    const { id } = JSON.parse((await modelship(running("--detach", "--json"), { cwd })).stdout);
    const child = spawn(process.execPath, [bin, "logs", "-f"], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdout.destroy();
    const closed = new Promise((resolve) => child.once("exit", resolve));
    for (let index = 0; index < 5; index += 1) await modelship(["predict", "-i", '{"rows":[]}'], { cwd });
    expect(await closed).toBe(0);

    const follow = cli(["logs", "-f", "answers"], { cwd });
    await follow.until("stdout", /starting/);
    await modelship(["stop", "answers"], { cwd });
    expect(await follow.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("drained") });
    expect(await inspectContainer(engine, id)).toBeUndefined();
  });
});
