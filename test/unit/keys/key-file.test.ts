import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createKey } from "../../../src/keys/create.js";
import { parseKeys } from "../../../src/keys/document.js";
import { changeKeyFile, readKeyFile } from "../../../src/keys/key-file.js";
import { silent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";

function create(file: string, name: string) {
  return createKey({
    cwd: "/",
    env: {},
    file,
    name,
    scopes: ["predict"],
    expires: null,
    rateLimit: null,
    maxConcurrency: null,
    now: new Date(),
    report: silent,
  });
}

const namesIn = async (file: string) => parseKeys(await readFile(file, "utf8"), file).map(({ name }) => name);

describe("the file of keys", () => {
  it("is for its owner alone, folders that had to be made too, and nothing is left beside it", async () => {
    const folder = await folderWith({});
    const file = join(folder, "a/b/keys.json");
    const { key } = await create(file, "ci");
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect((await stat(join(folder, "a"))).mode & 0o777).toBe(0o755);
    expect(await readdir(join(folder, "a/b"))).toEqual(["keys.json"]);
    expect(await readFile(file, "utf8")).not.toContain(key);
  });

  it("loses nothing when many change it at once", async () => {
    const file = join(await folderWith({}), "keys.json");
    const names = Array.from({ length: 25 }, (_, number) => `key-${number}`);
    await Promise.all(names.map((name) => create(file, name)));
    expect((await namesIn(file)).sort()).toEqual(names.sort());
  });

  it("has a name once, and says so without touching the file", async () => {
    const file = join(await folderWith({}), "keys.json");
    await create(file, "ci");
    const before = await readFile(file, "utf8");
    await expect(create(file, "ci")).rejects.toThrow("There is a key named ci already.");
    expect(await readFile(file, "utf8")).toBe(before);
  });

  it("stays a link where it is one", async () => {
    const folder = await folderWith({ "real/keys.json": '{"keys": []}' });
    await symlink("real/keys.json", join(folder, "keys.json"));
    await create(join(folder, "keys.json"), "ci");
    expect((await lstat(join(folder, "keys.json"))).isSymbolicLink()).toBe(true);
    expect(await namesIn(join(folder, "real/keys.json"))).toEqual(["ci"]);
  });

  it("stays as it is when it is broken", async () => {
    const folder = await folderWith({ "keys.json": "{ not json" });
    await expect(create(join(folder, "keys.json"), "ci")).rejects.toMatchObject({ code: "file_failed" });
    expect(await readFile(join(folder, "keys.json"), "utf8")).toBe("{ not json");
    expect(await readdir(folder)).toEqual(["keys.json"]);
  });

  it("is not changed while another one holds its lock, and says which lock", async () => {
    const file = join(await folderWith({}), "keys.json");
    await writeFile(`${file}.lock`, "");
    await expect(create(file, "ci")).rejects.toMatchObject({
      code: "file_failed",
      why: `Its lock is there: ${file}.lock.`,
    });
    expect(await readKeyFile(file)).toBeUndefined();
  }, 15_000);

  it("is not waited for any longer after Ctrl-C", async () => {
    const file = join(await folderWith({}), "keys.json");
    await writeFile(`${file}.lock`, "");
    await expect(changeKeyFile(file, (keys) => keys, AbortSignal.abort())).rejects.toMatchObject({
      code: "interrupted",
    });
  });

  it("is explained where it cannot be read or written", async () => {
    const folder = await folderWith({ file: "" });
    await mkdir(join(folder, "keys.json"));
    await expect(readKeyFile(join(folder, "keys.json"))).rejects.toMatchObject({ code: "file_failed" });
    await expect(create(join(folder, "file/keys.json"), "ci")).rejects.toMatchObject({ code: "file_failed" });
  });

  it("holds no more than a service reads", async () => {
    const file = join(await folderWith({}), "keys.json");
    const { entry } = await create(file, "ci");
    const many = Array.from({ length: 6000 }, (_, number) => ({ ...entry, name: `key-${number}` }));
    await expect(changeKeyFile(file, () => many)).rejects.toThrow(`${file} is full.`);
  });
});
