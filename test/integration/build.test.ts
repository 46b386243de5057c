import { appendFile, chmod } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { imageHistory, inspectImage } from "../../src/docker/images.js";
import { modelship, type Said, when } from "../setup/cli.js";
import {
  cleanImagesOf,
  imageHolds,
  imagesOf,
  imageWithoutPython,
  networkFlags,
  testEngine,
} from "../setup/engine.js";
import { interruptible } from "../setup/interruptible.js";
import { smallProject } from "../setup/project.js";
import { eventually, processesWith } from "./engine.js";

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

async function project(more: Readonly<Record<string, string | Buffer>> = {}) {
  const made = await smallProject(more);
  cleanImagesOf(engine, made.name);
  const build = (args: readonly string[] = [], options: Partial<Parameters<typeof modelship>[1]> = {}) =>
    modelship(["build", ...networkFlags, ...args], { cwd: made.root, ...options });
  return { ...made, build };
}

/** Nothing of this project is left on the engine: no image, named or not. */
async function nothingLeft(name: string): Promise<void> {
  await engineIsBack();
  expect(await imagesOf(engine, name)).toEqual([]);
  expect(await inspectImage(engine, `${name}:1.0.0`)).toBeUndefined();
}

/**
 * Podman 4.3 lets a step of an interrupted build come to its end, and can crash then. The tests that follow are not to
 * meet that moment.
 */
async function abandonedStepsEnd(): Promise<void> {
  if (engine.info.kind !== "podman") return;
  await eventually("the abandoned steps end", 90, async () => {
    const left = await Promise.all(
      ["pip\0--python\0/opt/venv", "pip-runner", "_in_process.py"].map(processesWith),
    );
    return left.every((count) => count === 0);
  });
  await sleep(2000);
  await engineIsBack();
}

/** What holds Podman's socket starts it again after a crash. */
async function engineIsBack(): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await imagesOf(engine, "nobody");
      return;
    } catch (error) {
      if (engine.info.kind !== "podman" || attempt === 20) throw error;
      await sleep(500);
    }
  }
}

describe("modelship build", () => {
  it("makes an image that is labelled, tagged and not root's", async () => {
    const { name, build } = await project();
    const said = await build(["--json"]);
    expect(said.code, said.stderr).toBe(0);
    const result = JSON.parse(said.stdout);
    expect(result).toMatchObject({ tags: [`${name}:1.0.0`], cached: false });
    expect(Object.keys(result).sort()).toEqual(["cached", "id", "key", "schema", "seconds", "size", "tags"]);
    const image = await inspectImage(engine, `${name}:1.0.0`);
    expect(image?.id).toBe(result.id);
    expect(image?.config.user).toBe("10001:10001");
    expect(image?.labels).toMatchObject({
      "org.opencontainers.image.title": name,
      "org.opencontainers.image.version": "1.0.0",
      "dev.modelship.key": result.key,
    });
  });

  it("asks the engine for nothing when nothing changed, and builds again when one line did", async () => {
    const { root, build } = await project();
    const first = JSON.parse((await build(["--json"])).stdout);
    const second = JSON.parse((await build(["--json"])).stdout);
    expect(second).toMatchObject({ id: first.id, key: first.key, cached: true });
    await appendFile(join(root, "model.py"), "# edited\n");
    const third = JSON.parse((await build(["--json"])).stdout);
    expect(third.cached).toBe(false);
    expect(third.key).not.toBe(first.key);
  });

  it("names what is there already when only a tag is new", async () => {
    const { name, build } = await project();
    const first = JSON.parse((await build(["--json"])).stdout);
    const said = await build(["--json", "-t", `${name}:one`, "-t", `${name}:two`]);
    expect(JSON.parse(said.stdout)).toMatchObject({
      id: first.id,
      cached: true,
      tags: [`${name}:one`, `${name}:two`],
    });
    expect((await inspectImage(engine, `${name}:two`))?.id).toBe(first.id);
  });

  it("prints the image id alone on stdout, and talks on stderr", async () => {
    const { build } = await project();
    const said = await build();
    expect(said.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(said.stderr).toMatch(/Built test-/);
    // Anew takes its time on engines that install packages again.
    const anew = engine.info.kind === "docker" ? ["--no-cache"] : [];
    const quiet = await build(["--quiet", ...anew]);
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
  });

  it("keeps secrets, index credentials and proxies out of the image and the talk", async () => {
    const canary = "canary-5f1d";
    // Its build fails unless it can read the secret.
    const { name, build } = await project({
      "requirements.txt": "./own\n",
      "own/pyproject.toml": ownPackage,
      "own/setup.py": backend('assert len(open("/run/secrets/token").read()) == 11'),
    });
    const said = await build(["--debug", "--secret", "id=token,env=TOKEN", "-t", `${name}:1`], {
      env: {
        TOKEN: canary,
        PIP_EXTRA_INDEX_URL: `http://user:${canary}@127.0.0.1:9/simple`,
        PIP_RETRIES: "0",
        NO_PROXY: `${canary}.example`,
      },
    });
    expect(said.code, said.stderr).toBe(0);
    expect(said.stdout + said.stderr).not.toContain(canary);
    const image = await inspectImage(engine, `${name}:1`);
    expect(JSON.stringify(image)).not.toContain(canary);
    expect(JSON.stringify(await imageHistory(engine, `${name}:1`))).not.toContain(canary);
    expect(await imageHolds(engine, `${name}:1`, canary)).toBe(false);
    expect(await imageHolds(engine, `${name}:1`, "MODELSHIP_ENTRY=model.py:Model")).toBe(true);
  });
});

describe("a build that cannot succeed", () => {
  afterAll(abandonedStepsEnd, 120_000);

  async function fails(said: Said, code: number, ...texts: (string | RegExp)[]) {
    expect(said.code, said.stderr).toBe(code);
    expect(said.stdout).toBe("");
    for (const text of texts) expect(said.stderr).toMatch(text);
  }

  it("shows the line of requirements.txt that pip cannot install, not 300 others", async () => {
    const { name, build } = await project({ "requirements.txt": "no-such-package-of-modelship==1.0\n" });
    const said = await build();
    await fails(said, 1, /no-such-package-of-modelship==1\.0/);
    expect(said.stderr.split("\n").length).toBeLessThan(40);
    await nothingLeft(name);
  });

  it("says which base image cannot be had, and what to do", async () => {
    const { name, build } = await project();
    const said = await build(["--base", "127.0.0.1:9/nothing:here"]);
    await fails(said, 1, /127\.0\.0\.1:9\/nothing:here/);
    await nothingLeft(name);
  });

  it("says that a base without python is no base", async () => {
    const { name, build } = await project();
    const base = await imageWithoutPython(engine);
    await fails(await build(["--base", base]), 1, /python3|no such file|not found/i);
    await nothingLeft(name);
  });

  it.each([
    [
      "a wrong type",
      { "modelship.yaml": "name: a\nservice: { port: many }\n" },
      /modelship\.yaml:2:18: .*service\.port/,
    ],
    ["an unknown key", { "modelship.yaml": "name: a\nrequirments: r.txt\n" }, /Did you mean `requirements`/],
    [
      "no model file",
      { "modelship.yaml": "name: a\nmodel: { files: absent/ }\n" },
      /no model files at absent/,
    ],
  ])("ends with 2 before the engine is asked: %s", async (_, files, text) => {
    const { build } = await project(files as unknown as Record<string, string>);
    await fails(await build([], { env: { DOCKER_HOST: undefined } }), 2, text);
  });

  it("ends with 3 when there is no engine", async () => {
    const { build } = await project();
    const said = await build(["--json"], { env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } });
    expect(said.code).toBe(3);
    expect(JSON.parse(said.stdout).error).toMatchObject({
      code: "engine_unreachable",
      hint: expect.any(String),
    });
  });

  it("ends with 3 when the socket is not ours to use", async () => {
    const { root, build } = await project();
    const socket = engine.endpoint.host.replace("unix://", "");
    await chmod(root, 0o755);
    const said = await build([], {
      uid: 65534,
      env: { DOCKER_HOST: `unix://${socket}`, HOME: "/nonexistent" },
    });
    await fails(said, 3, /permission|group/i);
  });

  it("ends with 130 on Ctrl-C at any moment", async () => {
    const { name, build } = await project();
    for (const delay of [0, 100, 300, 700]) {
      const said = await build(["--no-cache"], {
        during: (child, so) => when(so, "Base image", () => setTimeout(() => child.kill("SIGINT"), delay)),
      });
      expect(said.code, said.stderr).toBe(130);
    }
    await nothingLeft(name);
    await abandonedStepsEnd();
  });

  it("ends with 130 on Ctrl-C while dependencies install, and leaves nothing", async () => {
    const { name, build } = await project(slowInstall);
    let interrupted = 0;
    const said = await build([], {
      during: (child, so) =>
        when(so, "Install requirements.txt", () =>
          setTimeout(() => {
            interrupted = performance.now();
            child.kill("SIGINT");
          }, 1000),
        ),
    });
    await fails(said, 130);
    expect(performance.now() - interrupted).toBeLessThan(5_000);
    await nothingLeft(name);
  });

  it("ends with 3 when the engine dies half-way", async () => {
    const { name, build } = await project(slowInstall);
    const through = await interruptible(engine.endpoint.host.replace("unix://", ""));
    const said = await build([], {
      env: { DOCKER_HOST: `unix://${through.path}` },
      during: (_, so) => when(so, "Install requirements.txt", () => setTimeout(through.cut, 1500)),
    });
    await fails(said, 3, /stopped answering|engine/i);
    await nothingLeft(name);
  });
});

const ownPackage = '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n';

/** A build backend of one file that needs no setuptools; `before` runs first. */
function backend(before: string): string {
  return `import os, sys, time, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    ${before}
    name = "own-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("own.py", "")
        wheel.writestr("own-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n")
        wheel.writestr("own-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-1.0.dist-info/RECORD", "")
    return name
`;
}

const slowInstall = {
  "requirements.txt": "./slow\n",
  "slow/pyproject.toml": ownPackage,
  "slow/setup.py": backend("time.sleep(10)"),
};
