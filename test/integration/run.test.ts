import { chmod, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { projectKey, ServiceLabel } from "../../src/deploy/labels.js";
import { list } from "../../src/deploy/list.js";
import { serviceLogs } from "../../src/deploy/logs.js";
import { isPortFree } from "../../src/deploy/ports.js";
import { runService } from "../../src/deploy/run.js";
import type { RunOptions } from "../../src/deploy/run-options.js";
import { stopServices } from "../../src/deploy/stop.js";
import type { Engine } from "../../src/docker/client.js";
import { listContainers, removeContainer } from "../../src/docker/containers.js";
import { removeImage } from "../../src/docker/images.js";
import type { LogLine } from "../../src/docker/logs.js";
import { jsonRequest } from "../../src/docker/request.js";
import { buildImage } from "../../src/image/build.js";
import { Label } from "../../src/image/label-names.js";
import type { ReporterEvent } from "../../src/reporter.js";
import { predict } from "../../src/service/client.js";
import { cleanImagesOf, testEngine } from "../setup/engine.js";
import { buildFakeService, testNetwork } from "../setup/fake-service.js";
import { folderWith } from "../setup/folder.js";
import { smallProject } from "../setup/project.js";

const image = "modelship-test/fake:1";
const foreign = "modelship-test/foreign:1";
const unweighted = "fake:code";
let engine: Engine;

beforeAll(async () => {
  engine = await testEngine();
  await buildFakeService(engine, image);
  await buildFakeService(engine, foreign, { [Label.name]: null });
  await buildFakeService(engine, unweighted, { [Label.weights]: "mounted" });
  await removeAll();
  return async () => {
    for (const tag of [image, foreign, unweighted]) await removeImage(engine, tag, { force: true });
  };
});
afterEach(async () => {
  await removeAll();
});

async function containers() {
  const ours = await listContainers(engine, [ServiceLabel.name], { all: true });
  return ours.filter(({ name }) => name.startsWith("fake"));
}

async function removeAll() {
  for (const { id } of await containers()) await removeContainer(engine, id);
}

interface Change extends Partial<RunOptions> {
  mode?: string;
}

function options({ mode, environment = [], ...change }: Change = {}): RunOptions {
  return {
    image,
    cwd: process.cwd(),
    env: process.env,
    build: true,
    port: 0,
    bind: "127.0.0.1",
    network: testNetwork,
    environment: [...(mode ? [`MODE=${mode}`] : []), ...environment],
    environmentFiles: [],
    readOnly: false,
    command: [],
    timeout: 30,
    detach: true,
    drain: 10,
    report: () => {},
    ...change,
  };
}

async function ask(url: string, request: object = { rows: [1, 2] }): Promise<Record<string, unknown>> {
  return (await predict({ url, body: Buffer.from(JSON.stringify(request)), timeout: 10 })).document();
}

const elsewhere = async () => ({ cwd: await folderWith({}), env: process.env });

describe("a service", () => {
  test("is ready when run returns, and is listed, logs and stops", async () => {
    const service = await runService(options());
    expect(service).toMatchObject({ name: "fake", image, id: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await ask(service.url)).toMatchObject({ rows: 2, weights: null, user: 10_001 });

    const listed = (await list({ env: process.env })).find(({ name }) => name === "fake");
    expect(listed).toMatchObject({ id: service.id, url: service.url, image, state: "ready" });

    const lines: LogLine[] = [];
    const onLine = (line: LogLine) => void lines.push(line);
    await serviceLogs({ ...(await elsewhere()), name: "fake", follow: false, onLine });
    expect(lines).toEqual(
      expect.arrayContaining([
        { stream: "stdout", line: '{"event": "starting"}' },
        { stream: "stdout", line: '{"event": "predicted"}' },
        { stream: "stderr", line: "warned" },
      ]),
    );
    lines.length = 0;
    await serviceLogs({ ...(await elsewhere()), name: "fake", follow: false, tail: 1, onLine });
    expect(lines).toHaveLength(1);

    const stopping = { ...(await elsewhere()), all: false, drain: 10, report: () => {} };
    expect(await stopServices({ ...stopping, names: ["fake"] })).toEqual([{ name: "fake", id: service.id }]);
    expect(await containers()).toEqual([]);
    await expect(stopServices({ ...stopping, names: ["fake"] })).rejects.toMatchObject({
      code: "container_not_found",
    });
  });

  test("gets variables, arguments and limits; secrets do not show in labels or in the talk", async () => {
    const cwd = await folderWith({ "service.env": "TEST_FILE=from file\nTEST_BOTH=file\n" });
    const events: ReporterEvent[] = [];
    const service = await runService(
      options({
        cwd,
        env: { ...process.env, TEST_PASSED: "canary-7" },
        environment: ["TEST_PASSED", "TEST_BOTH=flag", "TEST_ABSENT"],
        environmentFiles: ["service.env"],
        command: ["--workers", "2"],
        memory: 256 * 2 ** 20,
        nanoCpus: 1e9,
        report: (event) => events.push(event),
      }),
    );
    expect(await ask(service.url)).toMatchObject({
      environment: { TEST_PASSED: "canary-7", TEST_FILE: "from file", TEST_BOTH: "flag" },
      arguments: ["--workers", "2"],
    });
    const [container] = await containers();
    expect(JSON.stringify([container?.labels, events])).not.toContain("canary-7");
    const inspected = await jsonRequest<{ HostConfig: Record<string, unknown> }>(engine.docker, {
      method: "GET",
      path: `/containers/${service.id}/json`,
    });
    expect(inspected.HostConfig).toMatchObject({ Memory: 256 * 2 ** 20, NanoCpus: 1e9 });
  });

  test("has a root filesystem that cannot be written to, and a /tmp that can", async () => {
    const service = await runService(options({ readOnly: true }));
    expect(await ask(service.url)).toMatchObject({ writable: ["/tmp"] });
  });

  test("takes another port when the one asked for is in use, and says so", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const busy = (server.address() as AddressInfo).port;
    const notes: ReporterEvent[] = [];
    const service = await runService(options({ port: busy, report: (event) => notes.push(event) }));
    expect(service.url).not.toContain(`:${busy}`);
    expect(await ask(service.url)).toMatchObject({ rows: 2 });
    expect(notes).toContainEqual({ type: "note", message: expect.stringMatching(`^Port ${busy} is in use`) });
  });

  test("listens on the port that was asked for", async () => {
    // Below the range that the system hands out by itself, so that nothing else takes it in between.
    let port = 20_000 + (process.pid % 10_000);
    while (!(await isPortFree("127.0.0.1", port))) port++;
    expect((await runService(options({ port }))).url).toBe(`http://127.0.0.1:${port}`);
  });

  test("of a name that runs already is refused; one that has ended makes room", async () => {
    const first = await runService(options());
    await expect(runService(options())).rejects.toMatchObject({
      code: "container_failed",
      message: `fake is running already at ${first.url}.`,
      hint: expect.stringContaining("modelship stop fake"),
    });
    expect((await containers()).map(({ id }) => id)).toEqual([first.id]);
    const second = await runService(options({ name: "fake-2" }));
    await jsonRequest(engine.docker, { method: "POST", path: `/containers/${first.id}/kill` }).catch(
      () => {},
    );
    await sleep(500);
    const third = await runService(options());
    expect((await containers()).map(({ id }) => id).sort()).toEqual([second.id, third.id].sort());
  });

  test("asks which one where there are several", async () => {
    await runService(options());
    await runService(options({ name: "fake-2" }));
    const logs = serviceLogs({ ...(await elsewhere()), follow: false, onLine: () => {} });
    await expect(logs).rejects.toMatchObject({ code: "usage", message: expect.stringContaining("fake-2") });
  });
});

describe("in a project", () => {
  const project = (more: Record<string, string> = {}) =>
    folderWith({
      "modelship.yaml": "name: fake\nversion: 1.0.0\n",
      "model.py": "class Model: pass\n",
      "requirements.txt": "",
      "model/weights.txt": "0.25 0.75",
      "examples/request.json": '{"rows": [1]}',
      ...more,
    });

  test("model files that the image does not hold are mounted", async () => {
    const cwd = await project();
    await chmod(join(cwd, "model"), 0o755);
    const service = await runService(options({ image: undefined, cwd, build: false }));
    expect(await ask(service.url)).toMatchObject({ weights: "0.25 0.75" });
    expect(service.curl).toContain("-d @examples/request.json");
    const [container] = await containers();
    expect(container?.labels[ServiceLabel.project]).toBe(projectKey(cwd));
    expect(JSON.stringify(container?.labels)).not.toContain(cwd);
  });

  test("the keys of the service are passed on from this machine, and never shown", async () => {
    const cwd = await project({
      "modelship.yaml": "name: fake\nversion: 1.0.0\nservice:\n  auth:\n    keys_env: TEST_KEYS\n",
    });
    const events: ReporterEvent[] = [];
    const run = options({ image: undefined, cwd, build: false, report: (event) => events.push(event) });
    const service = await runService({ ...run, env: { ...process.env, TEST_KEYS: "canary-8" } });
    expect(await ask(service.url)).toMatchObject({ environment: { TEST_KEYS: "canary-8" } });
    expect(JSON.stringify(events)).toContain("TEST_KEYS");
    expect(JSON.stringify(events)).not.toContain("canary-8");
  });

  test("that was not built, --no-build says so", async () => {
    const cwd = await project({ "modelship.yaml": "name: fake-unbuilt\n" });
    const run = runService(options({ image: undefined, cwd, build: false }));
    await expect(run).rejects.toMatchObject({
      code: "image_not_found",
      hint: expect.stringContaining("build"),
    });
  });
});

describe("a project that is built on the way", () => {
  test("has its model files mounted, built or not, or puts them into an image where nobody may read them", async () => {
    const { name, root } = await smallProject();
    cleanImagesOf(engine, name);
    await chmod(join(root, "model"), 0o755);
    const build = { cwd: root, env: process.env, report: () => {}, network: testNetwork };
    const run = async () => {
      const service = await runService(options({ image: undefined, cwd: root, name: "fake-built" }));
      const answer = await ask(service.url, { rows: [{ value: 21 }] });
      await removeContainer(engine, service.id);
      return { image: service.image, answer };
    };
    expect(await run()).toEqual({ image: `${name}:code`, answer: { rows: [{ value: 42 }] } });

    await writeFile(join(root, "model", "factor.txt"), "3\n");
    expect(await run()).toEqual({ image: `${name}:code`, answer: { rows: [{ value: 63 }] } });

    await buildImage(build);
    expect(await run()).toEqual({ image: `${name}:code`, answer: { rows: [{ value: 63 }] } });

    await writeFile(join(root, "model", "factor.txt"), "4\n");
    await chmod(join(root, "model", "factor.txt"), 0o600);
    expect(await run()).toEqual({ image: `${name}:1.0.0`, answer: { rows: [{ value: 84 }] } });
  });

  test("and does not load shows the user's own line", async () => {
    const { name, root } = await smallProject();
    cleanImagesOf(engine, name);
    await chmod(join(root, "model"), 0o755);
    await rm(join(root, "model", "factor.txt"));
    await writeFile(join(root, "model", "other.txt"), "2\n");
    await expect(
      runService(options({ image: undefined, cwd: root, name: "fake-built" })),
    ).rejects.toMatchObject({
      code: "service_failed",
      why: expect.stringContaining("FileNotFoundError"),
      excerpt: expect.arrayContaining([expect.stringMatching(/File "\/app\/model.py", line \d+, in load/)]),
    });
    expect(await containers()).toEqual([]);
  });
});

describe("a service that does not get ready", () => {
  test("because its model does not load is told at once, with the user's traceback", async () => {
    const started = performance.now();
    const error = await runService(options({ mode: "dies", timeout: 60 })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "service_failed",
      exitCode: 5,
      message: "The model of fake did not load.",
      why: "ValueError: the weights are not for this model",
    });
    expect((error as { excerpt: string[] }).excerpt[0]).toBe("Traceback (most recent call last):");
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(await containers()).toEqual([]);
  });

  test("in time is removed, and its last lines are shown", async () => {
    await expect(runService(options({ mode: "never", timeout: 2 }))).rejects.toMatchObject({
      code: "service_not_ready",
      exitCode: 5,
      excerpt: ['{"event": "starting"}'],
    });
    expect(await containers()).toEqual([]);
  });

  test("for lack of a GPU says what is missing", async () => {
    const gpus = { Driver: "", Count: -1, Capabilities: [["gpu"]] };
    const error = await runService(options({ gpus })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(
      engine.info.kind === "podman"
        ? { code: "engine_unsupported", message: expect.stringContaining("Podman") }
        : {
            code: "container_failed",
            message: "The engine cannot give the container a GPU.",
            hint: expect.stringContaining("nvidia-container-toolkit"),
          },
    );
    expect(await containers()).toEqual([]);
  });

  test("because the engine has no such network", async () => {
    await expect(runService(options({ network: "fake-no-such-network" }))).rejects.toMatchObject({
      code: "container_failed",
    });
    expect(await containers()).toEqual([]);
  });

  test("is interrupted wherever it is, and nothing stays", async () => {
    for (const after of [0, 30, 150, 400, 900]) {
      const running = runService(options({ mode: "never", signal: AbortSignal.timeout(after) }));
      await expect(running).rejects.toMatchObject({ code: "interrupted", exitCode: 130 });
      expect(await containers()).toEqual([]);
    }
  });
});

describe("an image", () => {
  test("that is not ours is refused", async () => {
    await expect(runService(options({ image: foreign }))).rejects.toMatchObject({ code: "image_not_ours" });
    expect(await containers()).toEqual([]);
  });

  test("without its model files cannot run outside its project", async () => {
    await expect(runService(options({ image: unweighted }))).rejects.toMatchObject({ code: "model_files" });
  });

  test("that is nowhere is told", async () => {
    const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "127.0.0.1:1";
    const missing = runService(options({ image: `${registry}/fake/absent:1` }));
    await expect(missing).rejects.toMatchObject({
      code: expect.stringMatching(/^(pull_failed|image_not_found)$/),
    });
  });
});

describe("in the foreground", () => {
  function foreground(change: Change = {}) {
    const controller = new AbortController();
    const lines: LogLine[] = [];
    let ready: (url: string) => void = () => {};
    const isReady = new Promise<string>((resolve) => {
      ready = resolve;
    });
    const ended = runService(
      options({
        detach: false,
        signal: controller.signal,
        onReady: ({ url }) => ready(url),
        onLog: (line) => lines.push(line),
        ...change,
      }),
    );
    return { controller, lines, ended, isReady: Promise.race([isReady, ended.then(({ url }) => url)]) };
  }

  test("Ctrl-C stops the service cleanly and removes it", async () => {
    const { controller, lines, ended, isReady } = foreground();
    await ask(await isReady);
    controller.abort();
    expect(await ended).toMatchObject({ name: "fake" });
    expect(lines.map(({ line }) => line)).toEqual(
      expect.arrayContaining([
        '{"event": "starting"}',
        '{"event": "predicted"}',
        "warned",
        '{"event": "drained"}',
      ]),
    );
    expect(await containers()).toEqual([]);
  });

  test("a service that does not stop is killed after its time", async () => {
    const { controller, ended, isReady } = foreground({ mode: "stubborn", drain: 1 });
    await isReady;
    const started = performance.now();
    controller.abort();
    await ended;
    expect(performance.now() - started).toBeLessThan(8000);
    expect(await containers()).toEqual([]);
  });

  test("a service that dies later is an error with its last words", async () => {
    const { ended, isReady } = foreground();
    const crash = ask(await isReady, { crash: true }).catch(() => {});
    await expect(ended).rejects.toMatchObject({
      code: "service_failed",
      exitCode: 5,
      excerpt: ["Traceback (most recent call last):", "RuntimeError: gave up"],
    });
    await crash;
    expect(await containers()).toEqual([]);
  });

  test("a service that is stopped from elsewhere ends well", async () => {
    const { ended, isReady } = foreground();
    await isReady;
    await stopServices({ ...(await elsewhere()), names: ["fake"], all: false, drain: 5, report: () => {} });
    expect(await ended).toMatchObject({ name: "fake" });
  });
});
