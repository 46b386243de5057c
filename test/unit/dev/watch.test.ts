import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ProjectWatch } from "../../../src/dev/watch.js";
import { watchFilter } from "../../../src/dev/watch-filter.js";
import { readIgnoreRules } from "../../../src/project/ignore.js";
import { silent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";

async function filterOf(dockerignore: string, read: readonly string[] = []) {
  const root = await folderWith({ ".dockerignore": dockerignore });
  return watchFilter(await readIgnoreRules(root), read);
}

test("what enters an image matters, what editors and Python leave does not", async () => {
  const filter = await filterOf("train.py\ndata\n");
  for (const path of ["model.py", "lib/a.py", "model/weights.bin", "examples/request.json"])
    expect([path, filter.matters(path)]).toEqual([path, true]);
  for (const path of [
    "train.py",
    "data/a.csv",
    ".git/index",
    "__pycache__/model.pyc",
    "lib/__pycache__/a.cpython-312.pyc",
    ".modelship/dev/venv.json",
    ".venv/bin/python",
    ".pytest_cache/x",
    "model.py~",
    ".model.py.swp",
    "4913",
    ".#model.py",
  ])
    expect([path, filter.matters(path)]).toEqual([path, false]);
  expect(["data", ".git", "lib/node_modules", ".modelship", "lib"].filter(filter.enters)).toEqual(["lib"]);
});

test("what dev itself reads matters although an image does without it", async () => {
  const filter = await filterOf("modelship.yaml\nconf\n.env\n", [
    "modelship.yaml",
    "conf/requirements.txt",
    ".env",
  ]);
  expect(["modelship.yaml", "conf/requirements.txt", ".env", "conf/other"].filter(filter.matters)).toEqual([
    "modelship.yaml",
    "conf/requirements.txt",
    ".env",
  ]);
  expect(filter.enters("conf")).toBe(true);
});

async function watching(files: Readonly<Record<string, string>>) {
  const root = await folderWith(files);
  const filter = watchFilter(await readIgnoreRules(root), []);
  const watch = await ProjectWatch.open(root, filter, silent);
  onTestFinished(() => watch.close());
  const at = (path: string) => join(root, path);
  const changes = async (work: () => Promise<unknown>) => {
    await work();
    await watch.changed;
    return watch.take();
  };
  return { at, changes };
}

test("saves in all ways are noticed, once each", async () => {
  const { at, changes } = await watching({
    "model.py": "a",
    "lib/a.py": "a",
    "env/pyvenv.cfg": "",
    "env/x": "",
  });
  expect(await changes(() => writeFile(at("model.py"), "b"))).toEqual(["model.py"]);
  expect(
    await changes(async () => {
      await writeFile(at("env/x"), "a virtualenv is nobody's to edit");
      await writeFile(at("lib/a.py"), "b");
    }),
  ).toEqual(["lib/a.py"]);
  expect(
    await changes(async () => {
      await writeFile(at(".model.py.swp"), "c");
      await rename(at(".model.py.swp"), at("model.py"));
    }),
  ).toEqual(["model.py"]);
  expect(await changes(() => rm(at("lib/a.py")))).toEqual(["lib/a.py"]);
});

test("folders that come later are watched, and one that takes another's place", async () => {
  const { at, changes } = await watching({ "model.py": "a" });
  const made = changes(async () => {
    await mkdir(at("new/deep"), { recursive: true });
    await writeFile(at("new/deep/a.py"), "a");
  });
  expect(await made).toEqual(["new/deep/a.py"]);
  expect(await changes(() => writeFile(at("new/deep/a.py"), "b"))).toEqual(["new/deep/a.py"]);
  await changes(async () => {
    await rm(at("new"), { recursive: true });
    await mkdir(at("new"));
    await writeFile(at("new/b.py"), "a");
  });
  expect(await changes(() => writeFile(at("new/b.py"), "b"))).toEqual(["new/b.py"]);
});

test("a link to a folder is not followed", async () => {
  const { at, changes } = await watching({ "model.py": "a" });
  await changes(() => symlink("..", at("up")));
  expect(await changes(() => writeFile(at("model.py"), "b"))).toEqual(["model.py"]);
});
