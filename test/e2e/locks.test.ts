import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { modelship, run } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

/** Locks are made while the test runs, by the real uv, against the index that this machine reaches. */
let engine: Engine;
let tools: string;
const python = process.env.MODELSHIP_TEST_PYTHON ?? "python3";
const uv = () => join(tools, "bin/uv");

async function succeed(file: string, args: readonly string[], cwd: string): Promise<string> {
  const said = await run(file, args, { cwd });
  expect(said.code, said.stderr).toBe(0);
  return said.stdout;
}

beforeAll(async () => {
  engine = await testEngine();
  tools = await mkdtemp(join(tmpdir(), "modelship-test-uv-"));
  await succeed(python, ["-m", "venv", tools], tools);
  const locked = join(import.meta.dirname, "../../templates/service/python/uv.txt");
  await succeed(join(tools, "bin/pip"), ["install", "--quiet", "--require-hashes", "-r", locked], tools);
});

afterAll(() => rm(tools, { recursive: true, force: true }));

async function project(files: Readonly<Record<string, string>>, lines = "") {
  const { name, root } = await smallProject(files);
  await writeFile(join(root, "modelship.yaml"), `name: ${name}\nversion: 1.0.0\n${lines}`);
  cleanImagesOf(engine, name);
  return { name, root, build: () => modelship(["build", "--json", ...networkFlags], { cwd: root }) };
}

const pyproject = (dependencies: string) =>
  `[project]\nname = "locked"\nversion = "1.0.0"\nrequires-python = ">=3.10"\ndependencies = [${dependencies}]\n`;

describe("a locked project", () => {
  it("of pyproject.toml and uv.lock is installed as locked", async () => {
    const { root, build } = await project(
      { "pyproject.toml": pyproject('"six==1.16.0"') },
      "requirements: pyproject.toml\n",
    );
    await succeed(uv(), ["lock", "--quiet"], root);
    const said = await build();
    expect(said.code, said.stderr).toBe(0);
    await writeFile(join(root, "model.py"), servesSixVersion);
    const started = JSON.parse(
      (await modelship(["run", "--detach", "--port", "0", "--json", ...networkFlags], { cwd: root })).stdout,
    );
    const answer = await modelship(["predict", "--url", started.url, "-i", '{"value": 0}'], { cwd: root });
    await modelship(["stop"], { cwd: root });
    expect(JSON.parse(answer.stdout)).toEqual({ version: "1.16.0" });
  });

  it("of hashed requirements is checked against them", async () => {
    const { root, build } = await project({ "requirements.in": "six==1.16.0\n" });
    await succeed(
      uv(),
      ["pip", "compile", "--quiet", "--generate-hashes", "requirements.in", "-o", "requirements.txt"],
      root,
    );
    const said = await build();
    expect(said.code, said.stderr).toBe(0);

    const file = join(root, "requirements.txt");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/sha256:[0-9a-f]{8}/g, "sha256:00000000"));
    const tampered = await build();
    expect(tampered.code).toBe(1);
    const { error } = JSON.parse(tampered.stdout);
    expect(error.message).toBe('The build failed at "Install requirements.txt".');
    expect([error.why, ...error.excerpt].join("\n")).toMatch(/hash/i);
  });

  it("whose lock holds what the service cannot work with is refused, and the package is named", async () => {
    const { root, build } = await project({ "requirements.in": "pydantic==1.10.22\n" });
    await succeed(
      uv(),
      ["pip", "compile", "--quiet", "--generate-hashes", "requirements.in", "-o", "requirements.txt"],
      root,
    );
    const said = await build();
    expect(said.code, said.stderr).toBe(1);
    expect(said.stdout).toMatch(/pydantic/);
  });
});

const servesSixVersion = `import six
from pydantic import BaseModel


class Input(BaseModel):
    value: float


class Output(BaseModel):
    version: str


class Model:
    def load(self, files):
        pass

    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(version=six.__version__) for row in rows]
`;
