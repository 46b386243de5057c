import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../src/deploy/ports.js";
import type { Engine } from "../../src/docker/client.js";
import {
  createContainer,
  inspectContainer,
  removeContainer,
  startContainer,
  stopContainer,
} from "../../src/docker/containers.js";
import { containerLogs } from "../../src/docker/logs.js";
import { packagePath } from "../../src/package.js";
import { modelship, run } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { testNetwork } from "../setup/fake-service.js";
import { folderWith } from "../setup/folder.js";
import { loadOf } from "../setup/load.js";
import { servicePython } from "../setup/service.js";
import { eventually } from "./engine.js";

const runtime = packagePath("templates/service/python");
const contract = join(runtime, "tests/contract");
const key = "a-key-of-the-contract";

let engine: Engine;
let keys: string;
beforeAll(async () => {
  engine = await testEngine();
  keys = await readFile(join(contract, "keys.json"), "utf8");
});

/** The project that the contract is about, under a name of its own, built. */
async function built(): Promise<{ name: string; root: string }> {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const home = join(contract, "project");
  const files: Record<string, string> = {};
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(".pyc")) continue;
    const path = join(entry.parentPath, entry.name);
    files[relative(home, path)] = (await readFile(path, "utf8")).replace("name: contract", `name: ${name}`);
  }
  const root = await folderWith(files);
  cleanImagesOf(engine, name);
  const build = await modelship(["build", ...networkFlags], { cwd: root });
  expect(build.code, build.stderr).toBe(0);
  return { name, root };
}

/** A container of it, started as users do. */
async function started(...flags: string[]): Promise<{ id: string; url: string }> {
  const { root } = await built();
  onTestFinished(async () => {
    await modelship(["stop", "--all"], { cwd: root });
  });
  const args = ["run", "--detach", "--port", "0", "--json", "-e", "MODELSHIP_API_KEYS", ...networkFlags];
  const service = await modelship([...args, ...flags], { cwd: root, env: { MODELSHIP_API_KEYS: keys } });
  expect(service.code, service.stderr).toBe(0);
  return JSON.parse(service.stdout);
}

/** The service's own tests, which ask what is at this address. */
async function expectContract(url: string): Promise<void> {
  const env = { MODELSHIP_TEST_URL: url, MODELSHIP_TEST_KEY: key, PYTHONDONTWRITEBYTECODE: "1" };
  const tests = await run(servicePython(), ["-m", "pytest", "tests/contract"], { cwd: runtime, env });
  expect(tests.code, tests.stdout + tests.stderr).toBe(0);
  expect(tests.stdout).not.toMatch(/skipped|deselected/);
}

describe("a container keeps the contract of the service", () => {
  it("as modelship runs it, with nothing to write to", async () => {
    await expectContract((await started("--read-only")).url);
  });

  it("as any engine runs it, as a user whom the image does not know", async () => {
    const { name } = await built();
    const port = await freePort("127.0.0.1");
    const onHost = testNetwork === "host";
    const id = await createContainer(engine, `${name}-stranger`, {
      Image: `${name}:1.2.0`,
      User: "54321:54321",
      Env: [`MODELSHIP_API_KEYS=${keys}`, ...(onHost ? [`MODELSHIP_PORT=${port}`] : [])],
      ExposedPorts: { "8080/tcp": {} },
      HostConfig: {
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        ...(onHost
          ? { NetworkMode: "host" }
          : { PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] } }),
      },
    });
    onTestFinished(() => removeContainer(engine, id));
    await startContainer(engine, id);
    const url = `http://127.0.0.1:${port}`;
    await eventually("the service is ready", 60, async () => {
      const signal = AbortSignal.timeout(1_000);
      const answer = await fetch(`${url}/readyz`, { signal }).catch(() => undefined);
      return answer?.status === 200;
    });
    await expectContract(url);
  });
});

it("a container that is stopped under load answers all that it accepted, and ends with 0", async () => {
  const { id, url } = await started();
  const row = JSON.stringify({ point: [1, 2, 3], wait: 0.002 });
  const load = loadOf(32, `${url}/v1/predict`, row, { authorization: `Bearer ${key}` });
  await eventually("it is under load", 30, async () => load.answered > 300);
  await stopContainer(engine, id, 30);
  expect(await load.over).toEqual([]);
  expect(await inspectContainer(engine, id)).toMatchObject({ exitCode: 0, oomKilled: false });
  const logged = [];
  for await (const { stream, line } of containerLogs(engine, id))
    if (stream === "stdout") logged.push(JSON.parse(line));
  expect(logged.filter(({ route }) => route === "/v1/predict")).toHaveLength(load.answered);
  expect(logged.map(({ event }) => event)).toContain("draining");
  expect(logged.at(-1)).toMatchObject({ event: "stopped", exit_code: 0 });
});
