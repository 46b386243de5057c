import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { devEnvironment } from "../../../src/dev/environment.js";
import { installFailed } from "../../../src/dev/install-failed.js";
import { installEnvironment, installSteps } from "../../../src/dev/install-steps.js";
import { requirementsKey } from "../../../src/dev/requirements-key.js";
import { packagePath } from "../../../src/package.js";
import { projectSchema } from "../../../src/project/schema.js";
import { folderWith } from "../../setup/folder.js";

describe("the environment of the service", () => {
  const input = {
    config: projectSchema.parse({ name: "digits", version: "1.2.0" }),
    virtualenv: { folder: "/p/venv", python: "/p/venv/bin/python" },
    files: "/p/model",
    given: new Map([["MODELSHIP_LOG_LEVEL", "debug"]]),
    host: "127.0.0.1",
    port: 8123,
  };

  test("is this shell's with what an image would set", () => {
    const env = devEnvironment({ ...input, env: { PATH: "/bin", TOKEN: "t" } });
    expect(env).toMatchObject({
      TOKEN: "t",
      PATH: ["/p/venv/bin", "/bin"].join(delimiter),
      VIRTUAL_ENV: "/p/venv",
      PYTHONPATH: packagePath("templates/service/python"),
      MODELSHIP_NAME: "digits",
      MODELSHIP_VERSION: "1.2.0",
      MODELSHIP_FILES: "/p/model",
      MODELSHIP_HOST: "127.0.0.1",
      MODELSHIP_PORT: "8123",
      MODELSHIP_LOG_LEVEL: "debug",
    });
  });

  test("has nothing that is meant for modelship itself or for another Python", () => {
    const env = devEnvironment({
      ...input,
      env: { MODELSHIP_API_KEY: "secret", MODELSHIP_API_KEYS: "k", PYTHONHOME: "/old", PYTHONPATH: "/old" },
    });
    expect(Object.keys(env)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/API_KEY|PYTHONHOME/)]),
    );
    expect(env.PYTHONPATH).not.toContain("/old");
  });

  test("listens where dev was told to, whatever a variable says", () => {
    const env = devEnvironment({ ...input, given: new Map([["MODELSHIP_PORT", "1"]]), env: {} });
    expect(env.MODELSHIP_PORT).toBe("8123");
  });
});

describe("the key of a virtualenv", () => {
  const files = { "requirements.txt": "-r more.txt\n./lib\n", "more.txt": "six\n", "lib/a.py": "a" };
  const paths = ["lib", "more.txt", "requirements.txt"];

  test("is the same for the same requirements, wherever they are", async () => {
    const [one, other] = [await folderWith(files), await folderWith({ ...files, "model.py": "x" })];
    const key = await requirementsKey({ root: one, python: "3.12", paths });
    expect(await requirementsKey({ root: other, python: "3.12", paths })).toBe(key);
  });

  test.each(["more.txt", "lib/a.py", "lib/new.py"])("changes with %s", async (path) => {
    const root = await folderWith(files);
    const before = await requirementsKey({ root, python: "3.12", paths });
    await mkdir(join(root, "lib"), { recursive: true });
    await writeFile(join(root, path), "other");
    expect(await requirementsKey({ root, python: "3.12", paths })).not.toBe(before);
  });

  test("changes with the version of Python", async () => {
    const root = await folderWith(files);
    const before = await requirementsKey({ root, python: "3.12", paths });
    expect(await requirementsKey({ root, python: "3.13", paths })).not.toBe(before);
  });
});

describe("the install", () => {
  const source = packagePath("templates/service/python");
  const interpreter = { file: "/usr/bin/python3.12", version: "3.12.4", pip: true };
  const input = { uv: true, interpreter, folder: "/p/venv", root: "/p" };
  const commands = (more: Partial<Parameters<typeof installSteps>[0]>) =>
    installSteps({ ...input, install: { kind: "none" }, ...more }).flatMap((step) =>
      step.commands.map((command) => command.join(" ").replaceAll(source, "SERVICE")),
    );
  const pip = "uv pip install --python /p/venv/bin/python --compile-bytecode";

  test("is the service's lock first, then the project's within its constraints", () => {
    const install = { kind: "pip", file: "requirements.txt", hashed: false } as const;
    expect(commands({ install })).toEqual([
      "uv venv --no-project --python /usr/bin/python3.12 /p/venv",
      `${pip} --require-hashes -r SERVICE/requirements.txt`,
      `${pip} -c SERVICE/constraints.txt -r requirements.txt`,
    ]);
  });

  test("of a list with hashes asks afterwards whether it is within the constraints", () => {
    const install = { kind: "pip", file: "requirements.txt", hashed: true } as const;
    expect(commands({ install }).slice(2)).toEqual([
      `${pip} --require-hashes -r requirements.txt`,
      `${pip} --no-index --no-deps --quiet -r SERVICE/constraints.txt`,
    ]);
  });

  test("without uv is pip's: the interpreter's own where it can, else the virtualenv's", () => {
    expect(commands({ uv: false })).toEqual([
      "/usr/bin/python3.12 -m venv --without-pip /p/venv",
      "/usr/bin/python3.12 -m pip --python /p/venv/bin/python install --require-hashes -r SERVICE/requirements.txt",
    ]);
    expect(commands({ uv: false, interpreter: { ...interpreter, pip: false } })).toEqual([
      "/usr/bin/python3.12 -m venv /p/venv",
      "/p/venv/bin/python -m pip install --require-hashes -r SERVICE/requirements.txt",
    ]);
  });

  test("of uv.lock exports it, with a uv of its own where there is none", () => {
    const install = { kind: "uv", indexes: [] } as const;
    const out = "--frozen --no-dev --no-emit-project --quiet -o /p/venv/exported.txt";
    expect(commands({ install })[2]).toBe(`uv export --project /p ${out}`);
    expect(commands({ install, uv: false }).slice(2, 5)).toEqual([
      "/usr/bin/python3.12 -m venv /p/venv/uv",
      "/p/venv/uv/bin/python -m pip install --require-hashes -r SERVICE/uv.txt",
      `/p/venv/uv/bin/uv export --project /p ${out}`,
    ]);
  });

  test("gives uv what is set for pip, unless uv has its own", () => {
    const env = { PIP_INDEX_URL: "https://a/simple", PIP_CERT: "/ca.pem", VIRTUAL_ENV: "/other" };
    expect(installEnvironment(env)).toMatchObject({
      UV_DEFAULT_INDEX: "https://a/simple",
      SSL_CERT_FILE: "/ca.pem",
    });
    expect(installEnvironment(env)).not.toHaveProperty("VIRTUAL_ENV");
    expect(installEnvironment({ ...env, UV_DEFAULT_INDEX: "https://b/simple" }).UV_DEFAULT_INDEX).toBe(
      "https://b/simple",
    );
  });

  test("that fails is told in terms of this machine, not of a build", () => {
    const error = installFailed("Install requirements.txt", ["Connection refused"], 1);
    expect(error).toMatchObject({
      code: "install_failed",
      message: '"Install requirements.txt" failed.',
      why: "The package index could not be reached.",
    });
    expect(error.hint).not.toMatch(/--network|build/);
  });
});
