import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { listContainers } from "../../src/docker/containers.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

/** Builds and starts a project with the real service in it. */
async function start(files: Readonly<Record<string, string>> = {}) {
  const { name, root } = await smallProject(files);
  cleanImagesOf(engine, name);
  onTestFinished(async () => {
    await modelship(["stop", "--all"], { cwd: root });
  });
  const run = await modelship(["run", "--detach", "--port", "0", "--json", ...networkFlags], { cwd: root });
  return { name, root, run };
}

async function containersOf(name: string): Promise<string[]> {
  const found = await listContainers(engine, ["dev.modelship.service"], { all: true });
  return found.map((container) => container.name).filter((found) => found.includes(name));
}

describe("a real service", () => {
  it("answers for the user's model, mounted weights and all", async () => {
    const { name, root, run } = await start();
    expect(run.code, run.stderr).toBe(0);
    const answer = await modelship(["predict", "-i", '{"value": 21}'], { cwd: root });
    expect(answer).toMatchObject({ code: 0, stdout: '{"value":42.0}\n' });
    const many = await modelship(["predict", "-i", "-"], {
      cwd: root,
      input: '{"rows": [{"value": 1}, {"value": 2}]}',
    });
    expect(JSON.parse(many.stdout)).toEqual({ rows: [{ value: 2 }, { value: 4 }] });
    const logs = await modelship(["logs"], { cwd: root });
    const lines = logs.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.route === "/v1/predict")).toMatchObject([
      { route: "/v1/predict", status: 200, rows: 1 },
      { route: "/v1/predict", status: 200, rows: 2 },
    ]);
    expect(await modelship(["stop"], { cwd: root })).toMatchObject({ code: 0, stdout: `${name}\n` });
    expect(await containersOf(name)).toEqual([]);
  });

  it("asks for the project's keys, and takes notice of one that is made or revoked", async () => {
    const { name, root } = await smallProject();
    cleanImagesOf(engine, name);
    onTestFinished(async () => {
      await modelship(["stop", "--all"], { cwd: root });
    });
    const first = await modelship(["keys", "create", "first"], { cwd: root });
    const run = await modelship(["run", "--detach", "--port", "0", ...networkFlags], { cwd: root });
    expect(run.code, run.stderr).toBe(0);
    const url = run.stdout.trim();
    const status = async (key?: string) => {
      const type = { "content-type": "application/json" };
      const headers = key === undefined ? type : { ...type, authorization: `Bearer ${key.trim()}` };
      const answer = await fetch(`${url}/v1/predict`, { method: "POST", headers, body: '{"value": 21}' });
      await answer.body?.cancel();
      return answer.status;
    };
    expect([await status(), await status("not-one-of-the-keys"), await status(first.stdout)]).toEqual([
      401, 401, 200,
    ]);
    const second = await modelship(["keys", "create", "second"], { cwd: root });
    await modelship(["keys", "revoke", "first"], { cwd: root });
    const noticed = { timeout: 10_000, interval: 200 };
    await expect.poll(() => status(second.stdout), noticed).toBe(200);
    await expect.poll(() => status(first.stdout), noticed).toBe(401);
    const logs = await modelship(["logs"], { cwd: root });
    expect(logs.stdout).toContain('"key":"first"');
    expect(logs.stdout + logs.stderr + run.stderr).not.toContain(first.stdout.trim());
  });

  it.each([
    [
      "does not import",
      "import no_such_module_of_mine\n",
      /model\.py", line 1, in <module>/,
      "No module named 'no_such_module_of_mine'",
    ],
    ["is no Python", "class Model:\n  def load(self files): pass\n", /model\.py", line 2/, "SyntaxError"],
    ["has no such class", "x = 1\n", /model\.py/, "Model"],
    [
      "fails to load",
      "from pydantic import BaseModel\nclass Row(BaseModel):\n    a: int\nclass Model:\n    def load(self, files):\n        raise ValueError('the weights are odd')\n    def predict(self, rows: list[Row]) -> list[Row]:\n        return rows\n",
      /model\.py", line 6, in load/,
      "the weights are odd",
    ],
  ])("that %s ends run with 5, the user's own line, and no container", async (_, code, line, text) => {
    const { name, run } = await start({ "model.py": code });
    expect(run.code, run.stderr).toBe(5);
    const { error } = JSON.parse(run.stdout);
    expect(error.code).toBe("service_failed");
    expect([error.message, error.why, ...error.excerpt].join("\n")).toMatch(line);
    expect([error.message, error.why, ...error.excerpt].join("\n")).toContain(text);
    expect(run.stdout + run.stderr).not.toContain("modelship_service/");
    expect(await containersOf(name)).toEqual([]);
  });
});
