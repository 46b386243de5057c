import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packagePath, packageVersion } from "../../../src/package.js";
import { folderWith } from "../../setup/folder.js";
import { hasPty, play } from "../../setup/pty.js";
import { start } from "./start.js";

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
}

test("init writes a project, says what is next, and prints its folder for scripts", async () => {
  const cwd = await folderWith({});
  const { code, stdout, stderr } = await start(["init", "digits", "--template", "sklearn"], { cwd }).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(cwd, "digits")}\n` });
  expect(stderr).toMatch(/Created digits from the template sklearn: \d+ files\.\nNext:\n {2}cd digits\n {2}/);
  const files = await filesIn(join(cwd, "digits"));
  expect(files).toEqual(
    expect.arrayContaining([
      ".dockerignore",
      ".gitignore",
      "README.md",
      "model.py",
      "modelship.yaml",
      "train.py",
    ]),
  );
  expect(files.filter((file) => /\.ejs$|template\.yaml|__pycache__|\.tmp$/.test(file))).toEqual([]);
  const yaml = await readFile(join(cwd, "digits/modelship.yaml"), "utf8");
  expect(yaml).toContain("name: digits");
  expect(yaml.split("\n")[0]).toContain(
    `https://unpkg.com/modelship@${packageVersion()}/dist/modelship.schema.json`,
  );
});

test("--json names the folder, the template and the files", async () => {
  const cwd = await folderWith({});
  const { stdout } = await start(["init", "digits", "-t", "onnx", "--json", "-q"], { cwd }).ended;
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({
    schema: "modelship.init/1",
    dir: join(cwd, "digits"),
    name: "digits",
    template: "onnx",
    dryRun: false,
  });
  expect([...document.files].sort()).toEqual(await filesIn(join(cwd, "digits")));
});

test("--dry-run lists the files and writes nothing", async () => {
  const cwd = await folderWith({});
  const { code, stdout } = await start(["init", "digits", "-t", "sklearn", "--dry-run"], { cwd }).ended;
  expect(code).toBe(0);
  expect(stdout.split("\n")).toEqual(expect.arrayContaining(["model.py", "modelship.yaml", ".gitignore"]));
  expect(await readdir(cwd)).toEqual([]);
});

test("existing files are kept unless --force", async () => {
  const cwd = await folderWith({ "digits/model.py": "mine" });
  const refused = await start(["init", "digits", "-t", "sklearn"], { cwd }).ended;
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("  | model.py\n");
  expect(await filesIn(cwd)).toEqual(["digits/model.py"]);
  const forced = await start(["init", "digits", "-t", "sklearn", "--force"], { cwd }).ended;
  expect(forced.code).toBe(0);
  expect(await readFile(join(cwd, "digits/model.py"), "utf8")).not.toBe("mine");
});

describe("name and folder follow from each other", () => {
  test.each([
    [["init", "."], "My Digits", "", "my-digits"],
    [["init"], "digits", "", "digits"],
    [["init", "--dir", "sub/digits2"], "work", "sub/digits2", "digits2"],
    [["init", "named", "--dir", "."], "work", "", "named"],
    [["init", "named", "-C", "."], "work", "named", "named"],
  ])("%j in %j writes %j as %j", async (args, here, dir, name) => {
    const cwd = join(await folderWith({}), here);
    await mkdir(cwd);
    const { stdout } = await start([...args, "--yes", "--json", "-q"], { cwd }).ended;
    expect(JSON.parse(stdout)).toMatchObject({ dir: join(cwd, dir), name, template: "sklearn" });
  });
});

describe("without a terminal a missing answer is an error that names the flag", () => {
  test.each([
    [["init", "--template", "sklearn"], "The project has no name yet", "modelship init NAME"],
    [["init", "digits"], "No template was chosen", "--template ("],
    [["init", "My Model", "-t", "sklearn"], '"My Model" cannot be', "Try: modelship init my-model"],
    [["init", "a/b", "-t", "sklearn"], '"a/b" cannot be', "Try: modelship init b --dir a/b"],
    [["init", "digits", "-t", "skleran"], 'no template "skleran"', "Choose one of: "],
    [["init", "digits", "-t", "onnx", "--python", "4"], '"4" in --python', "Write it like 3.12."],
  ])("%j", async (args, message, hint) => {
    const cwd = await folderWith({});
    const { code, stdout, stderr } = await start(args, { cwd }).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(await readdir(cwd)).toEqual([]);
  });
});

test("MODELSHIP_PYTHON chooses the Python of the image, --python wins", async () => {
  const cwd = await folderWith({});
  const env = { MODELSHIP_PYTHON: "3.11" };
  await start(["init", "a", "-t", "sklearn"], { cwd, env }).ended;
  expect(await readFile(join(cwd, "a/modelship.yaml"), "utf8")).toContain('"3.11"');
  await start(["init", "b", "-t", "sklearn", "--python", "3.13"], { cwd, env }).ended;
  expect(await readFile(join(cwd, "b/modelship.yaml"), "utf8")).toContain('"3.13"');
});

describe.skipIf(!hasPty)("on a terminal", () => {
  const command = [process.execPath, packagePath("bin/modelship.js")];
  const down = "\u001b[B";

  test("init asks for what it was not told", async () => {
    const cwd = await folderWith({});
    const { code, screen, left } = await play(
      [...command, "init"],
      [
        { wait: "Name of the project", send: "digits\r" },
        { wait: "Start from", send: "\r" },
        { wait: "Python version", send: "\r" },
      ],
      { cwd, env: { MODELSHIP_PYTHON: "" } },
    );
    expect({ code, left }, screen).toEqual({ code: 0, left: 0 });
    expect(screen).toContain("cd digits");
    expect(screen, "the folder is for scripts").not.toContain(join(cwd, "digits"));
    expect(await readFile(join(cwd, "digits/modelship.yaml"), "utf8")).toContain("name: digits");
  });

  test("a bad name is refused where it is typed, with the nearest good one", async () => {
    const cwd = await folderWith({});
    const { screen } = await play(
      [...command, "init", "-t", "onnx"],
      [
        { wait: "Name of the project", send: "My Model\r" },
        { wait: "For example: my-model", send: "\u0003" },
      ],
      { cwd },
    );
    expect(screen).toContain("For example: my-model");
  });

  test("Ctrl-C at a question leaves nothing, with 130", async () => {
    const cwd = await folderWith({});
    const { code, screen } = await play(
      [...command, "init", "digits"],
      [{ wait: "Start from", send: `${down}\u0003` }],
      { cwd },
    );
    expect(code, screen).toBe(130);
    expect(screen).toContain("Interrupted.");
    expect(screen.lastIndexOf("\u001b[?25h"), "the cursor is back").toBeGreaterThan(
      screen.lastIndexOf("\u001b[?25l"),
    );
    expect(await readdir(cwd)).toEqual([]);
  });

  test("with CI set nothing is asked", async () => {
    const cwd = await folderWith({});
    const { code, screen } = await play([...command, "init", "digits"], [], { cwd, env: { CI: "1" } });
    expect(code).toBe(2);
    expect(screen).toContain("No template was chosen");
  });
});
