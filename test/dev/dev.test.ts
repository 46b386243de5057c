import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { modelship, when } from "../setup/cli.js";
import { type CliRun, cli } from "../setup/running-cli.js";

/** One project for all: its virtualenv is made once, and every test starts from the same files. */
let root = "";
const python = process.env.MODELSHIP_TEST_PYTHON;
const flags = ["--port", "0", ...(python ? ["--python", python] : [])];

const model = (answer: string) => `from pathlib import Path

from pydantic import BaseModel


class Input(BaseModel):
    value: float


class Output(BaseModel):
    value: float


class Model:
    def load(self, files: Path) -> None:
        self.factor = float((files / "factor.txt").read_text())

    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(value=${answer}) for row in rows]
`;

const doubling = model("self.factor * row.value");

async function save(path: string, text: string): Promise<void> {
  await writeFile(join(root, path), text);
}

async function fresh(): Promise<void> {
  await save("modelship.yaml", "name: tiny\nversion: 1.0.0\n");
  await save("model.py", doubling);
  await save("model/factor.txt", "2\n");
  for (const path of ["requirements.txt", "lib"])
    await rm(join(root, path), { recursive: true, force: true });
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "modelship-dev-"));
  await mkdir(join(root, "model"));
  await fresh();
  await modelship(["dev", ...flags], {
    cwd: root,
    during: (child, so) => when(so, "http://", () => child.kill("SIGINT")),
  });
});
beforeEach(fresh);
afterAll(() => rm(root, { recursive: true, force: true }));

interface Dev extends CliRun {
  url: string;
  /** Resolves when it has been reloaded once more. */
  reloaded: () => Promise<void>;
}

async function startDev(more: readonly string[] = []): Promise<Dev> {
  const run = cli(["dev", ...flags, ...more], { cwd: root });
  await run.until("stdout", /^http:\S+\n/m);
  let reloads = 0;
  return {
    ...run,
    url: run.stdout().trim(),
    reloaded: () => {
      reloads += 1;
      return run.until("stderr", new RegExp(`(Reload tiny \\([^)]*\\): done in[\\s\\S]*){${reloads}}`));
    },
  };
}

async function stopped(dev: CliRun): Promise<{ code: number | null; stderr: string }> {
  dev.process.kill("SIGINT");
  return dev.ended;
}

async function ask(url: string, value = 21): Promise<unknown> {
  const answer = await fetch(`${url}/v1/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ value }),
  });
  return answer.json();
}

/** Resolves when nobody listens there any more. */
async function gone(url: string): Promise<void> {
  while (
    await fetch(`${url}/readyz`).then(
      () => true,
      () => false,
    )
  )
    await sleep(50);
}

test("a save is answered with, an error in it is shown and mended, and Ctrl-C ends it all", async () => {
  const dev = await startDev();
  expect(dev.stdout()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
  await dev.until("stderr", /tiny is ready; its playground is at http:[\s\S]*\n {2}curl .*\n/);
  expect(await ask(dev.url)).toEqual({ value: 42 });
  await dev.until("stderr", /^\d\d:\d\d:\d\d POST \/v1\/predict 200 [\d.]+ ms$/m);

  await save("model.py", model("self.factor * row.value + 1"));
  await dev.reloaded();
  expect(await ask(dev.url)).toEqual({ value: 43 });

  await save("model.py", model("self.factor * row.value +"));
  await dev.until("stderr", /warning: tiny did not load\.\n {2}The next save starts it again\./);
  expect(dev.stderr()).toMatch(/File ".*model\.py", line 19\n.*\n.*\nSyntaxError: invalid syntax/);
  await gone(dev.url);

  // As many editors save: another file takes the place of this one.
  await save("model.py~", model("self.factor * row.value - 1"));
  await rename(join(root, "model.py~"), join(root, "model.py"));
  await dev.until("stderr", /did not load[\s\S]*Reload tiny \(model\.py\): done in \S+\n$/);
  expect(await ask(dev.url)).toEqual({ value: 41 });

  const { code, stderr } = await stopped(dev);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("Stop tiny: done") });
  await gone(dev.url);
});

test("the user's traceback is shown when a request makes the model fail", async () => {
  await save("model.py", model("1 / row.value"));
  const dev = await startDev();
  expect(await ask(dev.url, 0)).toMatchObject({ error: { code: "model_error" } });
  await dev.until("stderr", /POST \/v1\/predict 500 model_error/);
  expect(dev.stderr()).toMatch(
    /warning: \S+ ZeroDivisionError: .*\nTraceback[\s\S]*model\.py", line 19, in predict/,
  );
  await stopped(dev);
});

test("a second start installs nothing, and new folders and model files are watched", async () => {
  const dev = await startDev();
  expect(dev.stderr()).not.toContain("Install");

  await save("model/factor.txt", "3\n");
  await dev.reloaded();
  expect(await ask(dev.url)).toEqual({ value: 63 });

  await mkdir(join(root, "lib"));
  await save("lib/by.py", "BY = 10\n");
  await dev.reloaded();
  await save("model.py", `from lib.by import BY\n${model("BY * row.value")}`);
  await dev.reloaded();
  await save("lib/by.py", "BY = 100\n");
  await dev.reloaded();
  expect(await ask(dev.url)).toEqual({ value: 2100 });
  await stopped(dev);
});

test("the project file and the requirements are read again, and what is wrong in them stops nothing", async () => {
  const dev = await startDev();
  await save("modelship.yaml", "name: tiny\nversion: 2.0.0\n");
  await dev.reloaded();
  expect(await (await fetch(`${dev.url}/v1/model`)).json()).toMatchObject({ version: "2.0.0" });

  await save("modelship.yaml", "name: tiny\nversio: 3.0.0\n");
  await dev.until(
    "stderr",
    /modelship\.yaml:2:1: unknown key `versio`\.\n.*`version`\? Nothing was reloaded\./,
  );
  expect(await ask(dev.url)).toEqual({ value: 42 });

  await fresh();
  await dev.reloaded();
  await save("requirements.txt", "six ===== 1\n");
  await dev.until("stderr", /"Install requirements\.txt" failed\. .*\n.*Nothing was reloaded\./);
  expect(await ask(dev.url)).toEqual({ value: 42 });

  await save("requirements.txt", "six\n");
  await dev.until("stderr", /Install requirements\.txt: done/);
  await dev.reloaded();
  await save("model.py", `import six\n${model("row.value if six.PY3 else 0")}`);
  await dev.reloaded();
  expect(await ask(dev.url)).toEqual({ value: 21 });
  const virtualenvs = (await readdir(join(root, ".modelship/dev"))).filter((name) =>
    name.startsWith("venv-"),
  );
  expect(virtualenvs).toHaveLength(1);
  await stopped(dev);
});

test("the service does not outlive the command, even when that is killed", async () => {
  const dev = await startDev();
  dev.process.kill("SIGKILL");
  await gone(dev.url);
});

test("Ctrl-C before it was ready is an interruption", async () => {
  await save(
    "model.py",
    doubling.replace(
      "self.factor =",
      'print("loading", flush=True); import time; time.sleep(60); self.factor =',
    ),
  );
  const run = cli(["dev", ...flags], { cwd: root });
  await run.until("stderr", /^loading$/m);
  expect((await stopped(run)).code).toBe(130);
});

test("without reloading it ends with the service", async () => {
  await save("model.py", "raise ValueError('no weights')\n");
  const run = cli(["dev", ...flags, "--no-reload", "--json"], { cwd: root });
  const { code, stdout } = await run.ended;
  expect(code).toBe(5);
  expect(JSON.parse(stdout)).toMatchObject({
    error: {
      code: "service_failed",
      message: "The model of tiny did not load.",
      why: "ValueError: no weights",
    },
  });
});

test("events carry the address, every line of the service and every reload", async () => {
  const run = cli(["dev", ...flags, "--json=events", "-e", "GREETING=hello"], { cwd: root });
  await run.until("stdout", /"url"/);
  const events = () =>
    run
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const { url } = events().find(({ item }) => item?.url).item;
  await save("model.py", `import os\nprint(os.environ["GREETING"])\n${doubling}`);
  await run.until("stdout", /"id":"reload","outcome":"done"/);
  expect(events()).toContainEqual({ type: "item", item: { stream: "stderr", line: "hello" } });
  expect(await ask(url)).toEqual({ value: 42 });
  expect((await stopped(run)).code).toBe(0);
});
