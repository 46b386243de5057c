import { createHash, randomBytes } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openDigests } from "../../../src/weights/digests.js";
import { identityOf, isSettled } from "../../../src/weights/identity.js";
import { openLayers } from "../../../src/weights/layer.js";
import { folderWith } from "../../setup/folder.js";
import { oneLayer } from "./planned.js";

const mega = 1024 * 1024;
const sha256 = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Until a write to the file would show in its times. */
async function settled(file: string): Promise<void> {
  while (!isSettled(await stat(file, { bigint: true }))) await sleep(5);
}

async function cacheOf(home: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(home, "modelship/digests.json"), "utf8"));
}

/** A folder with one large file that was not written to just now, and a place for the cache. */
async function largeFile() {
  const content = randomBytes(2 * mega);
  const folder = await folderWith({ "x.bin": content, "small.json": "{}" });
  const file = join(folder, "x.bin");
  await settled(file);
  await settled(join(folder, "small.json"));
  return { content, folder, file, home: await folderWith({}) };
}

describe("digests of files", () => {
  it("are those of the bytes, for small, empty and large files", async () => {
    const { content, folder, file, home } = await largeFile();
    await writeFile(join(folder, "empty"), "");
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    expect(await digests.of(file)).toBe(sha256(content));
    expect(await digests.of(join(folder, "small.json"))).toBe(sha256("{}"));
    expect(await digests.of(join(folder, "empty"))).toBe(sha256(""));
  });

  it("are remembered for large files until anything about them changes", async () => {
    const { content, file, home } = await largeFile();
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    await digests.of(file);
    await digests.save();
    await remembersWrongly(home, file);
    const later = async () => (await openDigests({ XDG_CACHE_HOME: home })).of(file);
    expect(await later()).toBe(wrong);
    await utimes(file, 1, 1);
    expect(await later()).toBe(sha256(content));
  });

  it("are not remembered for a file that was written to just now", async () => {
    const { file, home } = await largeFile();
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    do {
      await appendFile(file, "more");
      await digests.of(file);
    } while (isSettled(await stat(file, { bigint: true }))); // the machine was too slow for this to be just now
    await digests.save();
    const remembered = (await readFile(join(home, "modelship/digests.json"), "utf8").catch(
      () => "{}",
    )) as string;
    const { identity } = (JSON.parse(remembered)[file] ?? {}) as { identity?: string };
    expect(identity).not.toBe(identityOf(await stat(file, { bigint: true })));
  });

  it("count a file as just written for two ticks of its file system's clock", async () => {
    const info = await stat(join(await folderWith({ x: "" }), "x"), { bigint: true });
    const settledAfter = (ctimeNs: bigint, milliseconds: number) =>
      isSettled(Object.assign(info, { ctimeNs }), Number(ctimeNs / 1_000_000n) + milliseconds);
    expect(settledAfter(5_001_000_000n, 19)).toBe(false);
    expect(settledAfter(5_001_000_000n, 20)).toBe(true);
    // Whole seconds may be all that is kept.
    expect(settledAfter(5_000_000_000n, 1_900)).toBe(false);
    expect(settledAfter(5_000_000_000n, 2_000)).toBe(true);
    expect(settledAfter(5_001_000_000n, -500)).toBe(false);
  });

  it("name a file that is gone", async () => {
    const digests = await openDigests({ XDG_CACHE_HOME: await folderWith({}) });
    await expect(digests.of("/nowhere/x.bin")).rejects.toMatchObject({
      code: "file_failed",
      message: "/nowhere/x.bin is not there any more.",
    });
  });
});

describe("digests of layers", () => {
  it("are there for the next process after one reading, so that it reads nothing", async () => {
    const { folder, home } = await largeFile();
    const first = await oneLayer(
      folder,
      ["x.bin", "small.json"],
      await openDigests({ XDG_CACHE_HOME: home }),
    );
    const known = await first.known();
    const second = await oneLayer(
      folder,
      ["x.bin", "small.json"],
      await openDigests({ XDG_CACHE_HOME: home }),
    );
    let read = 0;
    expect(second.digest).toBe(known.digest);
    expect(await second.known({ onBytes: (count) => (read += count) })).toEqual(known);
    expect(read).toBe(0);
  });

  it("give their files' digests to whatever else asks, and take those that are known", async () => {
    const { folder, file, home } = await largeFile();
    const alone = await oneLayer(folder, ["x.bin"], await openDigests({ XDG_CACHE_HOME: home }), {
      ownDigests: true,
    });
    await alone.known();
    await remembersWrongly(home, file);
    expect(await (await openDigests({ XDG_CACHE_HOME: home })).of(file)).toBe(wrong);
    const both = await oneLayer(folder, ["small.json", "x.bin"], await openDigests({ XDG_CACHE_HOME: home }));
    expect((await both.known()).files.map(({ digest }) => digest)).toEqual([sha256("{}"), wrong]);
  });

  it("are found again by one reading after a touch, and are the same", async () => {
    const { folder, file, home } = await largeFile();
    const before = await (
      await oneLayer(folder, ["x.bin"], await openDigests({ XDG_CACHE_HOME: home }))
    ).known();
    await utimes(file, 1, 1);
    const touched = await oneLayer(folder, ["x.bin"], await openDigests({ XDG_CACHE_HOME: home }));
    expect(touched.digest).toBeUndefined();
    expect(await touched.known()).toEqual(before);
  });

  it("are not remembered after a change of a mode", async () => {
    const { folder, home } = await largeFile();
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    const layer = await oneLayer(folder, ["x.bin"], digests);
    await layer.known();
    const files = layer.plan.files.map((file) => ({ ...file, mode: 0o755 as const }));
    const [executable] = await openLayers([{ ...layer.plan, files }], digests);
    expect(executable?.digest).toBeUndefined();
    expect((await executable?.known())?.digest).not.toBe(layer.digest);
  });
});

describe("the cache's file", () => {
  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["entries of another kind", '{"/x":{"identity":1,"digest":"sha256:1"}}'],
    ["null", "null"],
  ])("counts as empty when it is %s", async (_kind, text) => {
    const { content, file, home } = await largeFile();
    await mkdir(join(home, "modelship"));
    await writeFile(join(home, "modelship/digests.json"), text);
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    expect(await digests.of(file)).toBe(sha256(content));
    await digests.save();
    expect(Object.keys(await cacheOf(home))).toEqual([file]);
  });

  it("keeps what other processes wrote meanwhile, and leaves nothing beside it", async () => {
    const home = await folderWith({});
    const files = await Promise.all(Array.from({ length: 3 }, () => largeFile()));
    const caches = await Promise.all(files.map(() => openDigests({ XDG_CACHE_HOME: home })));
    for (const [index, { file }] of files.entries()) {
      await caches[index]?.of(file);
      await caches[index]?.save();
    }
    expect(Object.keys(await cacheOf(home)).sort()).toEqual(files.map(({ file }) => file).sort());
    await Promise.all(caches.map((cache) => cache.save()));
    expect(await readdir(join(home, "modelship"))).toEqual(["digests.json"]);
  });

  it("is whole at any moment while many write it", async () => {
    const { file, home } = await largeFile();
    const caches = await Promise.all(Array.from({ length: 8 }, () => openDigests({ XDG_CACHE_HOME: home })));
    await Promise.all(
      caches.map(async (cache) => {
        await cache.of(file);
        await cache.save();
        expect(Object.keys(await cacheOf(home))).toEqual([file]);
      }),
    );
    expect(await readdir(join(home, "modelship"))).toEqual(["digests.json"]);
  });

  it("holds 10,000 digests and lets go of the oldest", async () => {
    const home = await folderWith({});
    const first = await openDigests({ XDG_CACHE_HOME: home });
    for (let index = 0; index < 9_999; index++)
      first.remember(`/old/${index}`, { identity: "i", digest: wrong });
    await first.save();
    const second = await openDigests({ XDG_CACHE_HOME: home });
    second.remember("layer:1", { identity: "i", digest: wrong, files: [wrong, wrong] });
    second.remember("/new", { identity: "i", digest: wrong });
    await second.save();
    const names = Object.keys(await cacheOf(home));
    expect(names).toHaveLength(9_998);
    expect(names.slice(-2)).toEqual(["layer:1", "/new"]);
    expect(names[0]).toBe("/old/3");
  });

  it("may be impossible to write", async () => {
    const { content, file, home } = await largeFile();
    await writeFile(join(home, "modelship"), "a file where the folder would be");
    const digests = await openDigests({ XDG_CACHE_HOME: home });
    expect(await digests.of(file)).toBe(sha256(content));
    await digests.save();
    expect(await readdir(home)).toEqual(["modelship"]);
  });
});

const wrong = sha256("not the file's");

/** Puts a digest into the cache that no reading would give: who answers with it has read nothing. */
async function remembersWrongly(home: string, file: string): Promise<void> {
  const cache = await cacheOf(home);
  cache[file] = { ...(cache[file] as object), digest: wrong };
  await writeFile(join(home, "modelship/digests.json"), JSON.stringify(cache));
}
