import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { packagePath } from "../../src/package.js";
import { modelship, run, type Said } from "../setup/cli.js";
import { cleanImagesOf, imageHolds, networkFlags, testEngine } from "../setup/engine.js";
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

async function built({ root }: Project, env: NodeJS.ProcessEnv = {}): Promise<Said> {
  return succeeded(await modelship(["build", "--base", base as string, ...networkFlags], { cwd: root, env }));
}

async function started({ root }: Project, ...flags: string[]): Promise<string> {
  onTestFinished(async () => {
    await modelship(["stop", "--all"], { cwd: root });
  });
  const args = ["run", "--detach", "--port", "0", "--json", "--read-only", "--base", base as string];
  const env = { MODELSHIP_API_KEYS: await readFile(join(contract, "keys.json"), "utf8") };
  const said = await modelship([...args, ...networkFlags, ...flags], { cwd: root, env });
  return JSON.parse(succeeded(said).stdout).url;
}

describe("a project of runtime: node", () => {
  it("is built, run read-only and asked, with nothing of the way to its packages in the image", async () => {
    const project = await begun();
    const { root, name } = project;
    await built(project, { NO_PROXY: "marker-of-this-test.example" });
    for (const trace of ["marker-of-this-test", '"resolved": "http'])
      expect(await imageHolds(engine, `${name}:0.1.0`, trace), trace).toBe(false);
    const url = await started(project);
    const said = succeeded(await modelship(["predict", "--url", url], { cwd: root }));
    expect(JSON.parse(said.stdout)).toMatchObject({ cultivar: 2 });
    const refused = await fetch(`${url}/v1/predict`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect(refused.status).toBe(422);
  });

  it("serves a graph without code, as rows and as tensors", async () => {
    const project = await begun();
    const config = join(project.root, "modelship.yaml");
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace("model.ts:Model", "onnx"));
    await built(project);
    const url = await started(project);
    const example = Object.values(
      JSON.parse(await readFile(join(project.root, "examples/request.json"), "utf8")),
    );
    const asked = await fetch(`${url}/v1/predict`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ rows: [{ features: example }] }),
    });
    expect(await asked.json()).toMatchObject({ rows: [{ label: 2 }] });
    const model = (await (await fetch(`${url}/v2/models/${project.name}`)).json()) as { inputs: unknown };
    expect(model.inputs).toEqual([{ name: "features", datatype: "FP32", shape: [-1, 13] }]);
  });

  it("keeps the contract of the service, but for chat and embeddings", async () => {
    const project = await begun();
    const { root, name } = project;
    for (const file of ["modelship.yaml", "model/greeting.txt", "examples/request.json"]) {
      const content = await readFile(join(contract, "project", file), "utf8");
      const entry = content
        .replaceAll("model.py", "model.js")
        .replace("name: contract", `name: ${name}\nruntime: node`);
      await writeFile(join(root, file), entry);
    }
    await rm(join(root, "model/wine.onnx"));
    const model = await readFile(packagePath("templates/service/node/tests/contract/model.js"));
    await writeFile(join(root, "model.js"), model);
    await built(project);
    const url = await started(project, "-e", "MODELSHIP_API_KEYS");
    const env = { MODELSHIP_TEST_URL: url, MODELSHIP_TEST_KEY: key, PYTHONDONTWRITEBYTECODE: "1" };
    const args = ["-m", "pytest", "tests/contract", "-m", "not openai"];
    const tests = succeeded(await run(servicePython(), args, { cwd: python, env }));
    expect(tests.stdout).not.toMatch(/skipped/);
    const chat = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
    });
    expect([chat.status, await chat.json()]).toMatchObject([404, { error: { code: "not_found" } }]);
  });
});
