import { chmod, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planBuild } from "../../../src/image/build.js";
import type { BuildOptions } from "../../../src/image/prepare.js";
import { silent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";

const files = {
  "modelship.yaml": 'name: digits\nversion: 1.2.0\npython: "3.11"\n',
  "model.py": "class Model: ...\n",
  "requirements.txt": "numpy==2.2.0\n",
  "model/weights.bin": "weights",
};

async function project(more: Readonly<Record<string, string>> = {}): Promise<string> {
  return folderWith({ ...files, ...more });
}

function plan(cwd: string, options: Partial<BuildOptions> = {}) {
  return planBuild({ cwd, env: {}, report: silent, ...options });
}

describe("the plan of an image", () => {
  it("names base, tags, labels and the files that are copied", async () => {
    const made = await plan(await project());
    expect(made.base.reference).toBe("python:3.11-slim-bookworm");
    expect(made.tags).toEqual(["digits:1.2.0"]);
    expect(made.labels).toMatchObject({
      "org.opencontainers.image.title": "digits",
      "org.opencontainers.image.version": "1.2.0",
      "dev.modelship.weights": "mounted",
      "dev.modelship.files": "/app/model",
      "dev.modelship.key": made.key,
    });
    const paths = made.context.map((file) => file.path);
    expect(paths).toContain("app/model.py");
    expect(paths.filter((path) => path.includes("weights"))).toEqual([]);
    expect(made.weights.map((layer) => layer.files.map((file) => file.path))).toEqual([
      ["app/model/weights.bin"],
    ]);
    expect(paths).toContain("requirements/requirements.txt");
    expect(paths).toContain("service/modelship_service/__main__.py");
    expect(paths.filter((path) => path.includes("__pycache__"))).toEqual([]);
  });

  it("leaves out the file of API keys, wherever it is", async () => {
    const config = `${files["modelship.yaml"]}service:\n  auth:\n    keys_file: ./secret/keys.json\n`;
    const { context } = await plan(
      await project({ "modelship.yaml": config, "secret/keys.json": "{}", "secret/more.txt": "" }),
    );
    const paths = context.map((file) => file.path);
    expect(paths).toContain("app/secret/more.txt");
    expect(paths).not.toContain("app/secret/keys.json");
  });

  it("has the same key for the same content, whatever the times and the umask", async () => {
    const one = await project();
    const other = await project();
    await utimes(join(other, "model.py"), 1, 1);
    await chmod(join(other, "model.py"), 0o600);
    expect((await plan(one)).key).toBe((await plan(other)).key);
  });

  it.each([
    ["an edited model.py", { "model.py": "class Model: pass\n" }, {}],
    ["another requirement", { "requirements.txt": "numpy==2.2.1\n" }, {}],
    ["a new file", { "extra.py": "" }, {}],
    ["another base", {}, { base: "other:1" }],
    ["a build argument", {}, { buildArgs: { A: "1" } }],
    ["another platform", {}, { platform: "linux/arm64" }],
  ])("has another key for %s", async (_, changed, options) => {
    expect((await plan(await project(changed), options)).key).not.toBe((await plan(await project())).key);
  });

  it("has the same key whatever the weights are: they are grafted onto what it names", async () => {
    const other = await project({ "model/weights.bin": "WEIGHTS" });
    expect((await plan(other)).key).toBe((await plan(await project())).key);
    expect((await plan(other, { bake: false })).weights).toEqual([]);
  });

  it("builds dependencies apart, copies only the virtualenv, and ends as a plain user", async () => {
    const { dockerfile } = await plan(await project(), { base: "base:1" });
    expect(dockerfile).toMatchSnapshot();
    expect(dockerfile).not.toMatch(/^# *syntax|<<|--link/m);
  });

  it("checks hashes when the requirements have them, and passes secrets and arguments to the install only", async () => {
    const hashed = "numpy==2.2.0 --hash=sha256:abc\n";
    const { dockerfile } = await plan(await project({ "requirements.txt": hashed }), {
      secrets: [{ id: "netrc", from: { variable: "X" } }],
      buildArgs: { CMAKE_ARGS: "-DX=1" },
    });
    expect(dockerfile).toContain("--require-hashes -r requirements.txt");
    expect(dockerfile).toContain("--no-index --no-deps --quiet -r runtime/constraints.txt");
    expect(dockerfile).toContain("--mount=type=secret,id=netrc,target=/root/.netrc");
    expect(dockerfile).toContain("ARG CMAKE_ARGS\n");
    expect(dockerfile).not.toContain("-DX=1");
  });

  it("installs a uv.lock through a pinned uv", async () => {
    const root = await project({
      "modelship.yaml": "name: digits\nrequirements: pyproject.toml\n",
      "pyproject.toml": "[project]\nname='x'\nversion='1'\n",
      "uv.lock": "version = 1\n",
    });
    const made = await plan(root);
    expect(made.dockerfile).toContain("uv export");
    expect(made.context.map((file) => file.path)).toEqual(
      expect.arrayContaining(["requirements/uv.lock", "runtime/uv.txt"]),
    );
  });

  it("follows included requirements and local wheels", async () => {
    const root = await project({
      "requirements.txt": "-r more/base.txt\n./wheels/own-1-py3-none-any.whl\n",
      "more/base.txt": "-c limits.txt\nnumpy\n",
      "more/limits.txt": "numpy<3\n",
      "wheels/own-1-py3-none-any.whl": "w",
    });
    const paths = (await plan(root)).context
      .map((file) => file.path)
      .filter((path) => path.startsWith("requirements/"));
    expect(paths).toEqual([
      "requirements/more/base.txt",
      "requirements/more/limits.txt",
      "requirements/requirements.txt",
      "requirements/wheels/own-1-py3-none-any.whl",
    ]);
  });

  it("serves a single model file", async () => {
    const root = await project({
      "modelship.yaml": "name: a\nmodel: { files: nets/net.onnx }\n",
      "nets/net.onnx": "x",
    });
    const made = await plan(root);
    expect(made.labels["dev.modelship.files"]).toBe("/app/nets/net.onnx");
    expect(made.weights[0]?.files).toMatchObject([{ path: "app/nets/net.onnx", size: 1, mode: 0o644 }]);
    expect(made.context.map((file) => file.path).filter((path) => path.includes("net.onnx"))).toEqual([]);
  });
});

describe("a project that cannot be built", () => {
  it.each([
    [
      "no model files",
      { "modelship.yaml": "name: a\nmodel: { files: nothing/ }\n" },
      /^There are no model files at nothing/,
      "model_files",
    ],
    [
      "ignored model files",
      { ".dockerignore": "model/\n" },
      /^\.dockerignore leaves out all model files/,
      "model_files",
    ],
    [
      "no model.py",
      { "modelship.yaml": "name: a\nmodel: { entry: absent.py:Model }\n" },
      /^absent\.py is not in the project/,
      "project_file",
    ],
    [
      "a missing include",
      { "requirements.txt": "-r absent.txt\n" },
      /^absent\.txt does not exist/,
      "project_file",
    ],
    ["an include outside", { "requirements.txt": "-r ../up.txt\n" }, /outside the project/, "project_file"],
    [
      "no lock",
      { "modelship.yaml": "name: a\nrequirements: pyproject.toml\n", "pyproject.toml": "" },
      /has no uv\.lock/,
      "project_file",
    ],
  ])("says so: %s", async (_, changed, message, code) => {
    await expect(plan(await project(changed))).rejects.toMatchObject({
      message: expect.stringMatching(message),
      code,
    });
  });

  it("refuses a tag with capital letters", async () => {
    await expect(plan(await project(), { tags: ["Digits:1"] })).rejects.toMatchObject({ code: "reference" });
  });

  it("refuses two platforms in one build", async () => {
    await expect(plan(await project(), { platform: "linux/amd64,linux/arm64" })).rejects.toMatchObject({
      code: "usage",
    });
  });

  it("refuses a CA bundle without a certificate", async () => {
    const root = await project();
    await writeFile(join(root, "ca.pem"), "nothing");
    await expect(plan(root, { caCert: "ca.pem" })).rejects.toMatchObject({ code: "usage" });
  });
});
