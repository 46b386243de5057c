import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/errors.js";
import { placeFiles, readPlaced } from "../../../src/weights/place.js";
import { unpackLayer } from "../../../src/weights/unpack.js";
import { folderWith } from "../../setup/folder.js";
import { oneLayer } from "./planned.js";

type Entry = [header: Parameters<ReturnType<typeof pack>["entry"]>[0], content?: string];

async function unpacked(entries: readonly Entry[], root = "app/model") {
  const folder = await folderWith({});
  const stage = join(folder, "stage");
  const to = join(folder, "to");
  await mkdir(stage);
  await mkdir(to);
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, content ?? "");
  tar.finalize();
  return { to, files: await unpackLayer(tar as AsyncIterable<Buffer>, { root, stage }) };
}

describe("a weight layer", () => {
  it("is unpacked below the folder that is asked for, with plain modes", async () => {
    const { to, files } = await unpacked([
      [{ name: "app/", type: "directory" }],
      [{ name: "app/model/", type: "directory" }],
      [{ name: "app/model/a/b.bin", mode: 0o4777 }, "bytes"],
    ]);
    expect(files).toMatchObject([{ path: "a/b.bin", size: 5 }]);
    await placeFiles(to, files);
    expect(await readFile(join(to, "a/b.bin"), "utf8")).toBe("bytes");
    const there = { path: "a/b.bin", size: 5 };
    expect(await readPlaced(to, there)).toEqual({ size: 5, digest: files[0]?.digest, layer: undefined });
    const lone = await readPlaced(to, { ...there, inLayer: "/app/model/a/b.bin" });
    expect(lone?.layer).toBe((await (await oneLayer(to, ["a/b.bin"])).known()).digest);
    await writeFile(join(to, "a/b.bin"), "others");
    expect(await readPlaced(to, there)).toBeUndefined();
  });

  it.each<[string, Entry]>([
    ["a path that leads out", [{ name: "app/model/../../../etc/passwd" }, "x"]],
    ["an absolute path", [{ name: "/app/model/x" }, "x"]],
    ["a file beside the model folder", [{ name: "app/other" }, "x"]],
    ["a symbolic link", [{ name: "app/model/l", type: "symlink", linkname: "/etc" }]],
    ["a hard link", [{ name: "app/model/l", type: "link", linkname: "app/model/x" }]],
    ["a device", [{ name: "app/model/d", type: "character-device", devmajor: 1, devminor: 3 }]],
    ["a name that removes another", [{ name: "app/model/.wh.x" }, "x"]],
    ["a name that steers a terminal", [{ name: "app/model/\u001b[2J" }, "x"]],
  ])("with %s is refused", async (_, entry) => {
    await expect(unpacked([entry])).rejects.toMatchObject({ code: "registry_failed" });
  });

  it("with the same path twice is refused", async () => {
    const twice: Entry = [{ name: "app/model/x" }, "x"];
    await expect(unpacked([twice, twice])).rejects.toMatchObject({ code: "registry_failed" });
  });

  it("that ends early is refused", async () => {
    const folder = await folderWith({});
    async function* short() {
      const tar = pack();
      tar.entry({ name: "app/model/x" }, "x".repeat(2000));
      tar.finalize();
      const chunks: Buffer[] = [];
      for await (const chunk of tar) chunks.push(chunk as Buffer);
      yield Buffer.concat(chunks).subarray(0, 1500);
    }
    await expect(unpackLayer(short(), { root: "app/model", stage: folder })).rejects.toMatchObject({
      code: "registry_failed",
    });
  });

  it("fails with what its source failed with", async () => {
    const folder = await folderWith({});
    const broken = new UserError("registry_failed", "The registry cannot be reached.");
    async function* breaking() {
      const tar = pack();
      tar.entry({ name: "app/model/x" }, "x".repeat(2000));
      for await (const chunk of tar) {
        yield (chunk as Buffer).subarray(0, 1500);
        break;
      }
      throw broken;
    }
    await expect(unpackLayer(breaking(), { root: "app/model", stage: folder })).rejects.toBe(broken);
  });

  it("fails with what the disk failed with, and its source is let go of", async () => {
    const folder = await folderWith({});
    let released = false;
    async function* endless() {
      const tar = pack();
      tar.entry({ name: "app/model/x" }, "x".repeat(2000));
      tar.finalize();
      try {
        for await (const chunk of tar) yield chunk as Buffer;
      } finally {
        released = true;
      }
    }
    const stage = join(folder, "not-there");
    await expect(unpackLayer(endless(), { root: "app/model", stage })).rejects.toMatchObject({
      code: "file_failed",
    });
    expect(released).toBe(true);
  });

  it("does not follow a link that lies in the folder already", async () => {
    const { to, files } = await unpacked([[{ name: "app/model/a/b.bin" }, "bytes"]]);
    const elsewhere = await folderWith({});
    await symlink(elsewhere, join(to, "a"));
    await expect(placeFiles(to, files)).rejects.toMatchObject({ code: "file_failed" });
    await expect(readFile(join(elsewhere, "b.bin"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
