import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, open, readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { describe, expect, it } from "vitest";
import { Digests } from "../../../src/weights/digests.js";
import { openLayers } from "../../../src/weights/layer.js";
import { planLayers } from "../../../src/weights/layers.js";
import { folderWith } from "../../setup/folder.js";
import { bytesOf, oneLayer, planned } from "./planned.js";

const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}.bin`;
const odd: Readonly<Record<string, Buffer>> = {
  "a.bin": Buffer.from("abc"),
  "block.bin": Buffer.alloc(512, 7),
  empty: Buffer.alloc(0),
  [`${"p".repeat(60)}/${"q".repeat(60)}/${"n".repeat(60)}`]: Buffer.from("fits ustar in two halves"),
  [long]: Buffer.from("does not"),
  [`deep/${"x".repeat(140)}`]: Buffer.from("a name that has no slash to divide it at"),
  "gewichte/größe-模型.bin": Buffer.from("not ASCII"),
  "two words/'quoted'.txt": Buffer.from("blank"),
  "large.bin": Buffer.alloc(3 * 1024 * 1024 + 17, "0123456789abcdef"),
};

interface Entry {
  name: string;
  type: string;
  mode: number;
  content: Buffer;
  owner: string;
  mtime: number;
}

async function entriesOf(tar: Buffer): Promise<Entry[]> {
  const entries: Entry[] = [];
  const reader = extract();
  Readable.from([tar]).pipe(reader);
  for await (const entry of reader) {
    const { name, type, mode, uid, gid, uname, gname, mtime } = entry.header;
    entries.push({
      name,
      type: String(type),
      mode: mode ?? -1,
      content: await bytesOf(entry as AsyncIterable<Buffer>),
      owner: [uid, gid, uname, gname].join(":"),
      mtime: mtime?.getTime() ?? -1,
    });
  }
  return entries;
}

describe("the tar of a layer", () => {
  it("is listed and unpacked by tar, byte for byte", async () => {
    const folder = await folderWith(odd);
    await chmod(join(folder, "a.bin"), 0o700);
    const layer = await oneLayer(folder, Object.keys(odd));
    const tar = await bytesOf(layer.open());
    expect(tar).toHaveLength(layer.size);
    const out = await folderWith({ "layer.tar": tar });
    await mkdir(join(out, "to"));
    execFileSync("tar", ["-xpf", join(out, "layer.tar"), "-C", join(out, "to")]);
    for (const [path, content] of Object.entries(odd)) {
      expect((await readFile(join(out, "to/app/model", path))).equals(content), path).toBe(true);
    }
    expect((await stat(join(out, "to/app/model/a.bin"))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(out, "to/app/model/empty"))).mode & 0o7777).toBe(0o644);
    expect((await stat(join(out, "to/app/model/deep"))).mode & 0o7777).toBe(0o755);
    const listed = execFileSync("tar", ["-tvf", join(out, "layer.tar"), "--numeric-owner", "--utc"], {
      encoding: "utf8",
    });
    for (const line of listed.trim().split("\n")) expect(line).toMatch(/ 0\/0 .* 1970-01-01 00:00 /);
  });

  it("has nothing of this machine, a folder before what is in it, and no entry twice", async () => {
    const folder = await folderWith(odd);
    const entries = await entriesOf(await bytesOf((await oneLayer(folder, Object.keys(odd))).open()));
    expect(new Set(entries.map(({ owner, mtime }) => `${owner} ${mtime}`))).toEqual(new Set(["0:0:: 0"]));
    const seen = new Set<string>();
    for (const { name, type, mode } of entries) {
      const path = name.replace(/\/$/, "");
      const above = path.split("/").slice(0, -1).join("/");
      expect(above === "" || seen.has(above), name).toBe(true);
      expect(seen.has(path), name).toBe(false);
      seen.add(path);
      expect([type, mode]).toEqual(type === "directory" ? ["directory", 0o755] : ["file", 0o644]);
    }
    const files = entries.filter(({ type }) => type === "file");
    expect(Object.fromEntries(files.map(({ name, content }) => [name, content.toString("latin1")]))).toEqual(
      Object.fromEntries(
        Object.entries(odd).map(([path, content]) => [`app/model/${path}`, content.toString("latin1")]),
      ),
    );
  });

  it("has the same digest everywhere and always", async () => {
    const folder = await folderWith(odd);
    await utimes(join(folder, "a.bin"), 1, 1);
    const tar = await bytesOf((await oneLayer(folder, Object.keys(odd).reverse())).open());
    expect(createHash("sha256").update(tar).digest("hex")).toBe(
      "be3319d6921a00ce42bdd9bb0049c8c69a9504f4d3169bbff42e2339215ec885",
    );
  });

  it("ends with two empty blocks and nothing more", async () => {
    const folder = await folderWith({ "a.bin": "abc" });
    const tar = await bytesOf((await oneLayer(folder, ["a.bin"])).open());
    expect(tar).toHaveLength(3 * 512 + 512 + 2 * 512); // app/, app/model/, a.bin; content; end
    expect(tar.subarray(3 * 512 + 3).every((byte) => byte === 0)).toBe(true);
  });

  it("takes extra headers only for what needs them", async () => {
    const folder = await folderWith(odd);
    const extra = async (path: string) =>
      (await bytesOf((await oneLayer(folder, [path])).open())).includes("PaxHeader");
    expect(await extra("a.bin")).toBe(false);
    expect(await extra(`${"p".repeat(60)}/${"q".repeat(60)}/${"n".repeat(60)}`)).toBe(false);
    expect(await extra(long)).toBe(true);
    expect(await extra("gewichte/größe-模型.bin")).toBe(true);
  });
});

describe("a file of 8 GiB and more", () => {
  const gigas = 9 * 1024 ** 3;

  it("has a size that tar understands, and its ends are where they belong", async () => {
    const folder = await folderWith({ "huge.bin": "first bytes" });
    const file = join(folder, "huge.bin");
    await truncate(file, gigas - 10);
    const handle = await open(file, "r+");
    await handle.write("last bytes", gigas - 10);
    await handle.close();
    const layers = await openLayers(
      planLayers(await planned(folder, ["huge.bin"])),
      new Digests(join(folder, ".cache/digests.json"), new Map()),
    );
    const [layer] = layers;
    if (!layer) throw new Error("no layer");

    let head = Buffer.alloc(0);
    for await (const piece of layer.open()) {
      head = Buffer.from(piece);
      break;
    }
    await writeFile(join(folder, "head.tar"), head);
    const listed = runTar(["-tvf", join(folder, "head.tar")]);
    expect(listed).toMatch(new RegExp(`${gigas} .*app/model/huge.bin`));
    const start = head.indexOf("first bytes");
    expect(start).toBe(2 * 512 + 2 * 512 + 512); // two folders, the size's own header and record, the plain header
    expect(layer.size).toBe(start + gigas + 2 * 512);

    const [known] = await openLayers([layer.plan], new KnowsEverything("", new Map()));
    const tail = await bytesOf((known ?? layer).open(layer.size - 1024 * 1024));
    expect(tail).toHaveLength(1024 * 1024);
    expect(tail.subarray(-1034, -1024).toString()).toBe("last bytes");
    expect(tail.subarray(-1024).equals(Buffer.alloc(1024))).toBe(true);
  });
});

/** A cache that has a digest for whatever it is asked, so that nine gigabytes need not be hashed. */
class KnowsEverything extends Digests {
  override recall(_name: string, identity: string) {
    const digest = `sha256:${"0".repeat(64)}`;
    return { identity, digest, files: [digest] };
  }
}

/** The listing, although the tar is cut short. */
function runTar(args: readonly string[]): string {
  try {
    return execFileSync("tar", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  }
}
