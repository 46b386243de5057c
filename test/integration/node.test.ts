import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { packagePath } from "../../src/package.js";
import { modelship, run, type Said } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { servicePython } from "../setup/service.js";

/** A base image with Node, which the set-up finds or makes. */
const base = process.env.MODELSHIP_TEST_NODE_BASE;
const python = packagePath("templates/service/python");
const contract = join(python, "tests/contract");
const key = "a-key-of-the-contract";

let engine: Engine;
beforeAll(async () => {
  if (!base) throw new Error("MODELSHIP_TEST_NODE_BASE names no image: npm test sets it up.");
  engine = await testEngine();
});

interface Project {
  name: string;
  root: string;
}

/** As a user begins: a project of the template, under a name of its own. */
async function begun(): Promise<Project> {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const root = await mkdtemp(join(tmpdir(), "modelship-node-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  succeeded(
    await modelship(["init", name, "--template", "node-onnx", "--dir", root, "--force", "--yes"], {
      cwd: root,
    }),
  );
  cleanImagesOf(engine, name);
  return { name, root };
}

function succeeded(said: Said): Said {
  expect(said.code, said.stdout + said.stderr).toBe(0);
  return said;
}

/** Builds what is not built yet. */
async function started({ root }: Project, env: NodeJS.ProcessEnv = {}): Promise<{ id: string; url: string }> {
  onTestFinished(async () => {
    await modelship(["stop", "--all"], { cwd: root });
  });
  const args = ["run", "--detach", "--port", "0", "--json", "--read-only", "-e", "MODELSHIP_API_KEYS"];
  const given = {
    MODELSHIP_IMAGE_BASE: base,
    MODELSHIP_API_KEYS: await readFile(join(contract, "keys.json"), "utf8"),
    ...env,
  };
  return JSON.parse(succeeded(await modelship([...args, ...networkFlags], { cwd: root, env: given })).stdout);
}

function post(url: string, path: string, body: unknown): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
}

async function exampleOf({ root }: Project): Promise<Record<string, number>> {
  return JSON.parse(await readFile(join(root, "examples/request.json"), "utf8"));
}

describe("a project of runtime: node", { timeout: 500_000 }, () => {
  it("is built, run read-only and asked, with nothing of the way to its packages in the image", async () => {
    const project = await begun();
    const env = { NO_PROXY: "marker-of-this-test.example", MODELSHIP_IMAGE_BASE: base };
    succeeded(await modelship(["build", ...networkFlags], { cwd: project.root, env }));
    const image = engine.docker.getImage(`${project.name}:0.1.0`);
    expect(JSON.stringify([await image.history(), await image.inspect()])).not.toContain(
      "marker-of-this-test",
    );
    const { id, url } = await started(project, env);
    const answer = await post(url, "/v1/predict", { rows: [await exampleOf(project), { alcohol: 101 }] });
    expect([answer.status, await answer.json()]).toMatchObject([422, { error: { code: "invalid_input" } }]);
    const ask = { cwd: project.root, env: { MODELSHIP_API_KEY: key } };
    expect(JSON.parse(succeeded(await modelship(["predict", "--url", url], ask)).stdout)).toMatchObject({
      cultivar: 2,
    });
    // npm writes down there where each package came from.
    const record = engine.docker
      .getContainer(id)
      .getArchive({ path: "/app/node_modules/.package-lock.json" });
    await expect(record).rejects.toMatchObject({ statusCode: 404 });
  });

  it("serves a graph without code, as rows and as tensors", async () => {
    const project = await begun();
    const config = join(project.root, "modelship.yaml");
    await writeFile(config, (await readFile(config, "utf8")).replace("model.ts:Model", "onnx"));
    const { url } = await started(project);
    const features = Object.values(await exampleOf(project));
    const rows = await post(url, "/v1/predict", { rows: [{ features }] });
    expect(await rows.json()).toMatchObject({ rows: [{ label: 2 }] });
    const tensor = { name: "features", datatype: "FP32", shape: [1, 13], data: features };
    const tensors = await post(url, `/v2/models/${project.name}/infer`, { inputs: [tensor] });
    expect(await tensors.json()).toMatchObject({
      outputs: [{ name: "label", data: [2] }, { shape: [1, 3] }],
    });
  });

  it("keeps the contract of the service, but for chat and embeddings", async () => {
    const project = await begun();
    const { root, name } = project;
    for (const file of ["modelship.yaml", "model/greeting.txt", "examples/request.json"]) {
      const text = await readFile(join(contract, "project", file), "utf8");
      const fitting = text
        .replaceAll(".py:", ".js:")
        .replace("name: contract", `name: ${name}\nruntime: node`);
      await writeFile(join(root, file), fitting);
    }
    await rm(join(root, "model/wine.onnx"));
    await copyFile(packagePath("templates/service/node/tests/contract/model.js"), join(root, "model.js"));
    const { url } = await started(project);
    const env = { MODELSHIP_TEST_URL: url, MODELSHIP_TEST_KEY: key, PYTHONDONTWRITEBYTECODE: "1" };
    const args = ["-m", "pytest", "tests/contract", "-m", "not openai"];
    const tests = succeeded(await run(servicePython(), args, { cwd: python, env }));
    expect(tests.stdout).not.toMatch(/skipped/);
    const chat = await post(url, "/v1/chat/completions", {});
    expect([chat.status, await chat.json()]).toMatchObject([404, { error: { code: "not_found" } }]);
  });
});
