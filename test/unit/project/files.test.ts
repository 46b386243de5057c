import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listFiles } from "../../../src/project/files.js";
import { readIgnoreRules } from "../../../src/project/ignore.js";
import { folderWith } from "../../setup/folder.js";

async function list(root: string): Promise<string[]> {
  return (await listFiles(root, "", await readIgnoreRules(root))).map((file) => file.path);
}

describe("the files of a project", () => {
  it("obey .dockerignore, exceptions below ignored folders included", async () => {
    const root = await folderWith({
      ".dockerignore": "# comment\ndata/*\n!data/keep.csv\n**/*.log\n/top.txt\n",
      "data/drop.csv": "",
      "data/keep.csv": "",
      "a/b.log": "",
      "a/b.txt": "",
      "top.txt": "",
      "a/top.txt": "",
    });
    expect(await list(root)).toEqual([".dockerignore", "a/b.txt", "a/top.txt", "data/keep.csv"]);
  });

  it("leave out the usual clutter when there is no .dockerignore", async () => {
    const root = await folderWith({ ".git/HEAD": "", "x/__pycache__/a.pyc": "", ".env": "", "model.py": "" });
    expect(await list(root)).toEqual(["model.py"]);
  });

  it("follow links inside the project, and end at loops", async () => {
    const root = await folderWith({ ".dockerignore": "", "real/a.txt": "" });
    await symlink("real", join(root, "link"));
    await symlink("..", join(root, "real/up"));
    expect(await list(root)).toEqual([".dockerignore", "link/a.txt", "real/a.txt"]);
  });

  it("refuse links that lead outside, unless they are ignored", async () => {
    const outside = await folderWith({ "secret.txt": "s" });
    const root = await folderWith({ ".dockerignore": "" });
    await symlink(join(outside, "secret.txt"), join(root, "innocent.txt"));
    await expect(list(root)).rejects.toThrow("innocent.txt is a link to something outside the project.");
    await writeFile(join(root, ".dockerignore"), "innocent.txt\n");
    expect(await list(root)).toEqual([".dockerignore"]);
  });

  it("keep what makes a file executable and nothing else of its mode", async () => {
    const root = await folderWith({});
    await mkdir(join(root, "bin"));
    await writeFile(join(root, "bin/run"), "", { mode: 0o700 });
    await writeFile(join(root, "plain"), "", { mode: 0o600 });
    const files = await listFiles(root, "", await readIgnoreRules(root));
    expect(files.map(({ path, executable }) => [path, executable])).toEqual([
      ["bin/run", true],
      ["plain", false],
    ]);
  });
});
