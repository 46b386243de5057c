import { spawnSync } from "node:child_process";
import { readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PullStage } from "../../../src/weights/pull-stage.js";
import { folderWith } from "../../setup/folder.js";

const digest = `sha256:${"a".repeat(64)}`;
const large = Buffer.alloc(2_000_000, 1);

/** The number of a process that has ended. */
const gone = spawnSync(process.execPath, ["-e", ""]).pid;

describe("the stage of a pull", () => {
  it("leaves nothing behind when all is in its place", async () => {
    const to = await folderWith({});
    const stage = await PullStage.open(to);
    const { folder, kept } = await stage.folderFor(digest);
    expect(kept).toBe(0);
    await writeFile(join(folder, "0"), large);
    await stage.close({ keep: false });
    expect(await readdir(to)).toEqual([]);
  });

  it("gives what is worth it to the next one", async () => {
    const to = await folderWith({});
    const first = await PullStage.open(to);
    await writeFile(join((await first.folderFor(digest)).folder, "0"), large);
    const small = `sha256:${"b".repeat(64)}`;
    await writeFile(join((await first.folderFor(small)).folder, "0"), "little");
    await first.close({ keep: true });
    const second = await PullStage.open(to);
    expect((await second.folderFor(digest)).kept).toBe(large.length);
    expect((await second.folderFor(small)).kept).toBe(0);
    await second.close({ keep: false });
    expect(await readdir(to)).toEqual([]);
  });

  it("leaves nothing where nothing is worth it", async () => {
    const to = await folderWith({});
    const stage = await PullStage.open(to);
    await writeFile(join((await stage.folderFor(digest)).folder, "0"), "little");
    await stage.close({ keep: true });
    expect(await readdir(to)).toEqual([]);
  });

  it("takes over what a process that is gone has left, and nothing of one that lives", async () => {
    const layer = digest.replace(":", "-");
    const to = await folderWith({
      [`.modelship-pull/${gone}-00000000/${layer}/0`]: large,
      // Whoever started this test lives.
      [`.modelship-pull/${process.ppid}-00000000/${layer.replaceAll("a", "c")}/0`]: large,
    });
    const stage = await PullStage.open(to);
    expect((await stage.folderFor(digest)).kept).toBe(large.length);
    expect((await stage.folderFor(digest.replaceAll("a", "c"))).kept).toBe(0);
    await stage.close({ keep: false });
    expect(await readdir(join(to, ".modelship-pull"))).toEqual([`${process.ppid}-00000000`]);
  });

  it("of two at once does not touch the other's", async () => {
    const to = await folderWith({});
    const one = await PullStage.open(to);
    await writeFile(join((await one.folderFor(digest)).folder, "0"), large);
    const other = await PullStage.open(to);
    expect((await other.folderFor(digest)).kept).toBe(0);
    await other.close({ keep: false });
    expect((await one.folderFor(digest)).kept).toBe(large.length);
    await one.close({ keep: false });
  });

  it("does not go where a link leads", async () => {
    const to = await folderWith({});
    const elsewhere = await folderWith({});
    await symlink(elsewhere, join(to, ".modelship-pull"));
    await expect(PullStage.open(to)).rejects.toMatchObject({ code: "file_failed" });
    expect(await readdir(elsewhere)).toEqual([]);
  });
});
