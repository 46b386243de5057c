import { copyFile, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { packagePath } from "../../../src/package.js";
import { folderWith } from "../../setup/folder.js";
import { hasPty, play } from "../../setup/pty.js";
import { start } from "./start.js";

const wine = packagePath("templates/projects/onnx/model/wine.onnx");
const digits = packagePath("templates/projects/sklearn/model/digits.skops");

async function folderOfModels(files: Readonly<Record<string, string>>): Promise<string> {
  const cwd = await folderWith({});
  for (const [path, source] of Object.entries(files)) {
    await mkdir(join(cwd, path, ".."), { recursive: true });
    await copyFile(source, join(cwd, path));
  }
  return cwd;
}

const init = (cwd: string, ...args: string[]) => start(["init", ...args], { cwd }).ended;

test("a model's file becomes a project of its name, with a request that fits it", async () => {
  const cwd = await folderOfModels({ "Wine Model.onnx": wine });
  const { code, stdout, stderr } = await init(cwd, "--from", "Wine Model.onnx", "--json");
  expect(code, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({
    name: "wine-model",
    template: "onnx",
    detected: {
      kind: "onnx",
      confidence: "certain",
      inputs: [{ name: "features", dtype: "float32", shape: [null, 13] }],
      warnings: [],
    },
  });
  const project = join(cwd, "wine-model");
  expect(await readFile(join(project, "model/Wine Model.onnx"))).toEqual(await readFile(wine));
  expect(parse(await readFile(join(project, "modelship.yaml"), "utf8"))).toMatchObject({
    model: { entry: "onnx" },
  });
  const request = JSON.parse(await readFile(join(project, "examples/request.json"), "utf8"));
  expect(request.features).toHaveLength(13);
  expect(document.files).not.toEqual(expect.arrayContaining(["model.py"]));
  expect(stderr).toContain("Wine Model.onnx: ONNX, opset 17");
});

test("--dry-run says what it is and lists the files, the model too", async () => {
  const cwd = await folderOfModels({ "digits.skops": digits });
  const { code, stdout, stderr } = await init(cwd, "--from", "digits.skops", "--dry-run");
  expect(code, stderr).toBe(0);
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining(["model.py", "model/digits.skops", "examples/request.json"]),
  );
  expect(await readdir(cwd)).toEqual(["digits.skops"]);
});

test("a model that lies where the project wants it stays there", async () => {
  const cwd = await folderOfModels({ "model/wine.onnx": wine });
  const before = await stat(join(cwd, "model/wine.onnx"));
  const { code, stderr } = await init(cwd, "wine", "--dir", ".", "--from", "model/wine.onnx");
  expect(code, stderr).toBe(0);
  const after = await stat(join(cwd, "model/wine.onnx"));
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  expect(await readdir(cwd)).toContain("modelship.yaml");
});

test("of several models one has to be named, by its file or by a template that serves it", async () => {
  const cwd = await folderOfModels({ "models/a/wine.onnx": wine, "models/digits.skops": digits });
  const refused = await init(cwd, "--from", "models");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("models holds 2 models");
  expect(refused.stderr).toContain("--from FILE");
  expect(refused.stderr).toContain("models/a/wine.onnx: ONNX");
  expect(refused.stderr).toContain("models/digits.skops: skops");
  const chosen = await init(cwd, "--from", "models", "--template", "onnx", "--dry-run");
  expect(chosen.code, chosen.stderr).toBe(0);
  expect(chosen.stdout).toContain("model/wine.onnx");
});

test("a format that is not known becomes a project for code of one's own, which says so", async () => {
  const cwd = await folderWith({ "weights.bin": "nothing that anyone knows" });
  const { code, stdout, stderr } = await init(cwd, "--from", "weights.bin", "--json");
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: "weights", template: "custom", detected: null });
  expect(stderr).toContain("weights.bin is of no format that modelship knows");
  const code2 = await readFile(join(cwd, "weights/model.py"), "utf8");
  expect(code2.match(/# TODO\(modelship\)/g)).toHaveLength(1);
  expect(await readFile(join(cwd, "weights/model/weights.bin"), "utf8")).toBe("nothing that anyone knows");
});

test.each([
  [["--from", "wine.onnx", "-t", "sklearn"], "does not serve wine.onnx", "use --template onnx"],
  [["--from", "missing.onnx"], "missing.onnx cannot be read", "Check the path"],
  [["--from", "wine.onnx", "--set", "a=b"], 'does not ask for "a"', "leave --set out"],
  [["digits", "-t", "./mine"], "has to be agreed to", "--yes"],
])("init %j is refused", async (args, message, hint) => {
  const cwd = await folderOfModels({ "wine.onnx": wine });
  await mkdir(join(cwd, "mine"));
  await copyFile(packagePath("templates/projects/custom/template.yaml"), join(cwd, "mine/template.yaml"));
  const before = await readdir(cwd);
  const mine = await folderWith({ "template.yaml": "title: Mine\ndescription: x\n" });
  await copyFile(join(mine, "template.yaml"), join(cwd, "mine/template.yaml"));
  const { code, stderr } = await init(cwd, ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
  expect(await readdir(cwd)).toEqual(before);
});

test("a template from elsewhere is shown, and used with --yes", async () => {
  const cwd = await folderWith({
    "mine/template.yaml":
      "title: Mine\ndescription: My own\nquestions:\n  - {name: colour, message: Colour, default: red}\n",
    "mine/modelship.yaml.mustache": "name: {{name}}\ndescription: {{yaml colour}}\n",
  });
  const { code, stderr } = await init(cwd, "digits", "-t", "./mine", "--yes", "--set", "colour=deep: red");
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("The template ./mine: Mine. My own");
  expect(stderr).toContain(`folder  ${join(cwd, "mine")}`);
  expect(stderr).toContain("modelship.yaml.mustache");
  expect(parse(await readFile(join(cwd, "digits/modelship.yaml"), "utf8"))).toEqual({
    name: "digits",
    description: "deep: red",
  });
});

test("modelship templates lists them, with what they serve", async () => {
  const cwd = await folderWith({});
  const { stdout } = await start(["templates"], { cwd }).ended;
  expect(stdout).toMatch(/^onnx +\S/m);
  const document = JSON.parse((await start(["templates", "--json"], { cwd }).ended).stdout);
  expect(document.schema).toBe("modelship.templates/1");
  expect(document.templates).toContainEqual(
    expect.objectContaining({ name: "onnx", serves: ["onnx"], tasks: null }),
  );
});

describe.skipIf(!hasPty)("on a terminal", () => {
  const command = [process.execPath, packagePath("bin/modelship.js")];
  const env = { MODELSHIP_PYTHON: "3.12" };

  test("a folder with several models is a question, and so is the name", async () => {
    const cwd = await folderOfModels({ "models/a/wine.onnx": wine, "models/digits.skops": digits });
    const { code, screen, left } = await play(
      [...command, "init", "--from", "models"],
      [
        { wait: "Which model", send: "\r" },
        { wait: "Name of the project", send: "\r" },
      ],
      { cwd, env },
    );
    expect({ code, left }, screen).toEqual({ code: 0, left: 0 });
    expect(screen).toMatch(/Created (wine|digits) from the template (onnx|sklearn)/);
  });

  test("a template from elsewhere is not used unless one says so", async () => {
    const cwd = await folderWith({
      "mine/template.yaml": "title: Mine\ndescription: x\n",
      "mine/a.txt": "a",
    });
    const { code, screen } = await play(
      [...command, "init", "digits", "-t", "./mine"],
      [{ wait: "Use this template?", send: "\r" }],
      { cwd, env },
    );
    expect(code, screen).toBe(130);
    expect(await readdir(cwd)).toEqual(["mine"]);
  });
});
