import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { WrittenFile } from "../../../src/scaffold/plan.js";
import { writePlan } from "../../../src/scaffold/write.js";
import { folderWith } from "../../setup/folder.js";

const planned = (path: string, text = path, mode = 0o644): WrittenFile => ({
  path,
  bytes: Buffer.from(text),
  mode,
});
const plan = [planned("a.txt"), planned("deep/er/b.txt"), planned("run.sh", "#!/bin/sh\n", 0o755)];

/** Everything below a folder, hidden files too. */
async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.map((entry) => entry.replaceAll("\\", "/")).sort();
}

test("a plan becomes files with their modes, in folders that were not there", async () => {
  const folder = await folderWith({});
  const dir = join(folder, "new", "project");
  await writePlan(plan, dir, { force: false });
  expect(await tree(dir)).toEqual(["a.txt", "deep", "deep/er", "deep/er/b.txt", "run.sh"]);
  expect(await readFile(join(dir, "deep/er/b.txt"), "utf8")).toBe("deep/er/b.txt");
  if (process.platform !== "win32") expect((await stat(join(dir, "run.sh"))).mode & 0o777).toBe(0o755);
});

test("existing files are never overwritten: one error names all, and nothing is written", async () => {
  const folder = await folderWith({ "a.txt": "mine", "run.sh": "mine", "other.txt": "mine" });
  await expect(writePlan(plan, folder, { force: false })).rejects.toMatchObject({
    code: "files_exist",
    excerpt: ["a.txt", "run.sh"],
    hint: expect.stringContaining("--force"),
  });
  expect(await tree(folder)).toEqual(["a.txt", "other.txt", "run.sh"]);
  expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("mine");
});

test("--force replaces what is in the plan and leaves the rest", async () => {
  const folder = await folderWith({ "a.txt": "mine", "other.txt": "mine" });
  await writePlan(plan, folder, { force: true });
  expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("a.txt");
  expect(await readFile(join(folder, "other.txt"), "utf8")).toBe("mine");
  expect(await tree(folder)).toEqual(["a.txt", "deep", "deep/er", "deep/er/b.txt", "other.txt", "run.sh"]);
});

test("an interruption half-way leaves nothing, not even the folders above", async () => {
  const folder = await folderWith({});
  const controller = new AbortController();
  const interrupting = plan.map((file, index) => ({
    ...file,
    get bytes() {
      if (index === 1) controller.abort();
      return file.bytes;
    },
  }));
  const dir = join(folder, "new", "project");
  await expect(
    writePlan(interrupting, dir, { force: false, signal: controller.signal }),
  ).rejects.toMatchObject({
    code: "interrupted",
  });
  expect(await tree(folder)).toEqual([]);
});

test("a failure half-way puts back what --force replaced", async () => {
  const folder = await folderWith({ "a.txt": "mine" });
  // A name that is longer than a file system takes.
  const failing = [...plan.slice(0, 2), planned("z".repeat(300))];
  await expect(writePlan(failing, folder, { force: true })).rejects.toMatchObject({ code: "file_failed" });
  expect(await tree(folder)).toEqual(["a.txt"]);
  expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("mine");
});

test("a failure while files are put in place restores every one of them", async () => {
  const folder = await folderWith({ "a.txt": "mine" });
  // The last file is staged in a folder whose place the second one takes.
  const twice = [planned("a.txt", "ours"), planned("b.txt"), planned("b.txt/c.txt")];
  await expect(writePlan(twice, folder, { force: true })).rejects.toMatchObject({ code: "file_failed" });
  expect(await tree(folder)).toEqual(["a.txt"]);
  expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("mine");
});

test("a file where the folder has to be is an error", async () => {
  const folder = await folderWith({ digits: "a file" });
  await expect(writePlan(plan, join(folder, "digits"), { force: true })).rejects.toMatchObject({
    code: "file_failed",
    message: expect.stringContaining("is a file, not a folder"),
  });
  await expect(writePlan(plan, join(folder, "digits", "below"), { force: true })).rejects.toMatchObject({
    code: "file_failed",
  });
});

test("a folder where a file has to be is an error, with --force too", async () => {
  const folder = await folderWith({ "a.txt/inside": "mine" });
  await expect(writePlan(plan, folder, { force: true })).rejects.toMatchObject({ code: "file_failed" });
  expect(await tree(folder)).toEqual(["a.txt", "a.txt/inside"]);
});

test("a link inside the project is never followed out of it", async () => {
  const outside = await folderWith({});
  const folder = await folderWith({});
  await symlink(outside, join(folder, "deep"), "dir");
  await expect(writePlan(plan, folder, { force: true })).rejects.toMatchObject({
    code: "file_failed",
    message: expect.stringContaining("is a link"),
  });
  expect(await tree(outside)).toEqual([]);
});

test("a link in a file's place counts as existing, and --force replaces the link, not what it leads to", async () => {
  const outside = await folderWith({ "victim.txt": "theirs" });
  const folder = await folderWith({});
  const link = join(folder, "a.txt");
  await symlink(join(outside, "victim.txt"), link);
  await expect(writePlan(plan, folder, { force: false })).rejects.toMatchObject({ excerpt: ["a.txt"] });
  expect(await readlink(link)).toBe(join(outside, "victim.txt"));
  await writePlan(plan, folder, { force: true });
  expect((await lstat(link)).isSymbolicLink()).toBe(false);
  expect(await readFile(join(outside, "victim.txt"), "utf8")).toBe("theirs");
});

test("a project folder that is a link is the user's choice", async () => {
  const folder = await folderWith({});
  await mkdir(join(folder, "real"));
  await symlink(join(folder, "real"), join(folder, "link"), "dir");
  await writePlan(plan, join(folder, "link"), { force: false });
  expect(await tree(join(folder, "real"))).toContain("a.txt");
});

test("a path that leaves the project is refused before anything is written", async () => {
  const folder = await folderWith({});
  await expect(
    writePlan([...plan, planned("../escaped.txt")], join(folder, "project"), { force: true }),
  ).rejects.toMatchObject({ code: "template" });
  expect(await tree(folder)).toEqual([]);
});

test.skipIf(process.platform === "win32")(
  "a folder that may not be written is an error that says so",
  async () => {
    const folder = await folderWith({});
    await chmod(folder, 0o555);
    await expect(asNobody(() => writePlan(plan, folder, { force: false }))).rejects.toMatchObject({
      code: "file_failed",
      why: expect.stringContaining("may not write"),
    });
    await chmod(folder, 0o755);
  },
);

/** Root may write everywhere, so as root the work is done as somebody else. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

test("a file system that refuses is explained", async () => {
  const folder = await folderWith({});
  await writeFile(join(folder, "x"), "");
  await expect(writePlan(plan, join(folder, "n".repeat(300)), { force: false })).rejects.toMatchObject({
    code: "file_failed",
  });
});
