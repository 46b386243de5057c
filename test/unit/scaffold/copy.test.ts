import { execFileSync } from "node:child_process";
import { open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filesAt, planModelFiles } from "../../../src/scaffold/model-files.js";
import { writePlan } from "../../../src/scaffold/write.js";
import { folderWith } from "../../setup/folder.js";

const mebibyte = 1024 * 1024;

/** A file with a hole, which costs no disk. */
async function sparse(path: string, size: number): Promise<void> {
  const handle = await open(path, "w");
  await handle.truncate(size);
  await handle.close();
}

test("files keep their places relative to each other", async () => {
  const models = await folderWith({
    "deep/a/config.json": "{}",
    "deep/a/sub/weights.bin": "w",
    "deep/b.txt": "",
  });
  const paths = ["a/config.json", "a/sub/weights.bin"].map((path) => join(models, "deep", path));
  const { files, copies } = await planModelFiles(paths);
  expect(files).toEqual(["config.json", "sub/weights.bin"]);
  const dir = join(await folderWith({}), "project");
  await writePlan(copies, dir, { force: false });
  expect(await readFile(join(dir, "model/sub/weights.bin"), "utf8")).toBe("w");
});

test("a link to a file is copied as the file, as caches of model hubs have them", async () => {
  const models = await folderWith({ "blobs/1234": "weights" });
  await symlink(join(models, "blobs/1234"), join(models, "model.safetensors"));
  const { copies } = await planModelFiles([join(models, "model.safetensors")]);
  const dir = join(await folderWith({}), "project");
  await writePlan(copies, dir, { force: false });
  expect((await stat(join(dir, "model/model.safetensors"))).isFile()).toBe(true);
  expect(await readFile(join(dir, "model/model.safetensors"), "utf8")).toBe("weights");
});

test("how far a large copy is, is told, and an interruption leaves nothing", async () => {
  const models = await folderWith({});
  await sparse(join(models, "large.bin"), 64 * mebibyte);
  const { copies } = await planModelFiles([join(models, "large.bin")]);
  const parent = await folderWith({});
  const controller = new AbortController();
  let seen = 0;
  const interrupted = writePlan(copies, join(parent, "project"), {
    force: false,
    signal: controller.signal,
    onBytes: (bytes) => {
      seen += bytes;
      controller.abort();
    },
  });
  await expect(interrupted).rejects.toMatchObject({ code: "interrupted" });
  expect(seen).toBeGreaterThan(0);
  expect(await readdir(parent)).toEqual([]);
});

test("a file that has another size than it had is not copied", async () => {
  const models = await folderWith({ "m.bin": "one" });
  const { copies } = await planModelFiles([join(models, "m.bin")]);
  await writeFile(join(models, "m.bin"), "longer");
  const parent = await folderWith({});
  await expect(writePlan(copies, join(parent, "project"), { force: false })).rejects.toMatchObject({
    code: "file_failed",
    message: expect.stringContaining("changed while it was copied"),
  });
  expect(await readdir(parent)).toEqual([]);
});

test.skipIf(process.platform === "win32")("a file that has become a pipe does not hang", async () => {
  const models = await folderWith({ "m.bin": "one" });
  const { copies } = await planModelFiles([join(models, "m.bin")]);
  await rm(join(models, "m.bin"));
  execFileSync("mkfifo", [join(models, "m.bin")]);
  await expect(writePlan(copies, join(await folderWith({}), "p"), { force: false })).rejects.toMatchObject({
    message: expect.stringContaining("not a regular file"),
  });
});

test("a file that is gone is told as one that cannot be read", async () => {
  const models = await folderWith({ "m.bin": "one" });
  const { copies } = await planModelFiles([join(models, "m.bin")]);
  await rm(join(models, "m.bin"));
  await expect(writePlan(copies, join(await folderWith({}), "p"), { force: false })).rejects.toMatchObject({
    message: expect.stringContaining("cannot be read"),
  });
});

test("a folder that nothing is known of is taken whole, without what tools leave and without links", async () => {
  const folder = await folderWith({
    "a.bin": "",
    "deep/b.bin": "",
    ".git/config": "",
    "__pycache__/x.pyc": "",
  });
  await symlink("/etc/passwd", join(folder, "link"));
  expect(await filesAt(folder, undefined)).toEqual([join(folder, "a.bin"), join(folder, "deep/b.bin")]);
  await expect(filesAt(await folderWith({}), undefined)).rejects.toMatchObject({ code: "model_files" });
});
