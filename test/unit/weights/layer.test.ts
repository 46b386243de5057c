import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  appendFile,
  chmod,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { listFiles } from "../../../src/project/files.js";
import { openDigests } from "../../../src/weights/digests.js";
import { openLayers } from "../../../src/weights/layer.js";
import { planLayers, weightFiles } from "../../../src/weights/layers.js";
import { folderWith } from "../../setup/folder.js";
import { bytesOf, lengthOf, oneLayer, planned } from "./planned.js";

const mega = 1024 * 1024;
const sha256 = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("reading a layer", () => {
  const files = {
    "big.bin": randomBytes(9 * mega + 123),
    "small.json": Buffer.from("{}"),
    empty: Buffer.alloc(0),
  };
  const names = Object.keys(files);

  it("finds its digest and those of its files", async () => {
    const layer = await oneLayer(await folderWith(files), names);
    expect(layer.digest).toBeUndefined();
    const reading = layer.open();
    const tar = await bytesOf(reading);
    expect(await reading.digest).toBe(sha256(tar));
    expect(layer.digest).toBe(sha256(tar));
    expect((await layer.known()).files).toEqual([
      { path: "/app/model/big.bin", size: 9 * mega + 123, digest: sha256(files["big.bin"]) },
      { path: "/app/model/empty", size: 0, digest: sha256("") },
      { path: "/app/model/small.json", size: 2, digest: sha256("{}") },
    ]);
  });

  it("can be done without sending", async () => {
    const layer = await oneLayer(await folderWith(files), names);
    let read = 0;
    const known = await layer.known({ onBytes: (count) => (read += count) });
    expect(known).toEqual({
      digest: sha256(await bytesOf(layer.open())),
      size: layer.size,
      files: await layer.digestedFiles(),
    });
    expect(read).toBe(layer.size);
  });

  it("leaves a file alone in it to the layer's digest, until its own is asked for", async () => {
    const folder = await folderWith(files);
    for (const ownDigests of [false, true]) {
      const layer = await oneLayer(folder, ["big.bin"], undefined, { ownDigests });
      const tar = await bytesOf(layer.open());
      expect(await layer.known()).toEqual({
        digest: sha256(tar),
        size: tar.length,
        files: [{ path: "/app/model/big.bin", size: 9 * mega + 123 }],
      });
      expect(await layer.digestedFiles()).toMatchObject([{ digest: sha256(files["big.bin"]) }]);
    }
  });

  it.each(["unknown", "known"])("begins anywhere, with an %s digest", async (digest) => {
    const layer = await oneLayer(await folderWith(files), names);
    const tar = await bytesOf((await oneLayer(await folderWith(files), names)).open());
    for (const from of [0, 1, 511, 1536, 5 * mega + 7, tar.length - 1, tar.length]) {
      const fresh = digest === "known" ? layer : await oneLayer(await folderWith(files), names);
      if (digest === "known") await fresh.known();
      const reading = fresh.open(from);
      expect((await bytesOf(reading)).equals(tar.subarray(from)), `from ${from}`).toBe(true);
      expect(await reading.digest).toBe(sha256(tar));
    }
  });

  it("opens nothing of what lies before the offset when the digest is known", async () => {
    const folder = await folderWith({ "a.bin": randomBytes(mega), "b.bin": "b" });
    const layer = await oneLayer(folder, ["a.bin", "b.bin"]);
    const tar = await bytesOf(layer.open());
    await rm(join(folder, "a.bin"));
    expect((await bytesOf(layer.open(tar.length - 2048))).equals(tar.subarray(-2048))).toBe(true);
  });

  it("has its digest before the last piece is asked for", async () => {
    const layer = await oneLayer(await folderWith(files), names);
    let received = 0;
    for await (const piece of layer.open()) {
      received += piece.length;
      if (received === layer.size) break;
    }
    expect(layer.digest).toMatch(/^sha256:/);
  });

  it("goes through a socket unharmed", async () => {
    const layer = await oneLayer(await folderWith(files), names);
    const server = createServer(async (incoming, answer) => {
      const hash = createHash("sha256");
      await pipeline(incoming, hash);
      answer.end(`sha256:${hash.digest("hex")}`);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const sending = request({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      method: "PUT",
    });
    const answered = once(sending, "response");
    for await (const piece of layer.open()) {
      await new Promise<void>((resolve, reject) =>
        sending.write(piece, (error) => (error ? reject(error) : resolve())),
      );
    }
    sending.end();
    const [answer] = (await answered) as [Readable];
    expect((await bytesOf(answer)).toString()).toBe(layer.digest);
    server.close();
  });

  it("of several at once keeps them apart", async () => {
    const contents = Array.from({ length: 6 }, () => randomBytes(3 * mega));
    const layers = await Promise.all(
      contents.map(async (bytes) => oneLayer(await folderWith({ x: bytes }), ["x"])),
    );
    await Promise.all(layers.map((layer) => layer.known()));
    const own = await Promise.all(layers.map((layer) => layer.digestedFiles()));
    expect(own.map(([file]) => file?.digest)).toEqual(contents.map(sha256));
  });
});

describe("a reader that stops or is slow", () => {
  it("leaves no file open, and the digest fails", async () => {
    const folder = await folderWith({ "x.bin": randomBytes(20 * mega) });
    const layer = await oneLayer(folder, ["x.bin"]);
    const reading = layer.open();
    for await (const _piece of reading) break;
    expect(await openBelow(folder)).toEqual([]);
    await expect(reading.digest).rejects.toThrow("stopped");
    const stream = Readable.from(layer.open());
    await once(stream, "readable");
    stream.destroy();
    await once(stream, "close");
    expect(await openBelow(folder)).toEqual([]);
    expect(layer.digest).toBeUndefined();
  });

  it("is never more than a few MiB behind the disk", async () => {
    const folder = await folderWith({ "x.bin": randomBytes(20 * mega) });
    const layer = await oneLayer(folder, ["x.bin"]);
    const pieces = layer.open()[Symbol.asyncIterator]();
    await pieces.next();
    await writeAt(join(folder, "x.bin"), 4 * mega, "written while the reader waits");
    await expect(lengthOf({ [Symbol.asyncIterator]: () => pieces })).rejects.toMatchObject({
      code: "file_failed",
    });
  });

  it("is let go by a signal while digests are computed", async () => {
    const folder = await folderWith({ "x.bin": randomBytes(20 * mega) });
    const layer = await oneLayer(folder, ["x.bin"]);
    const stop = new AbortController();
    const known = layer.known({ signal: stop.signal, onBytes: () => stop.abort() });
    await expect(known).rejects.toMatchObject({ code: "interrupted" });
    expect(await openBelow(folder)).toEqual([]);
  });
});

describe("a file that is not what it was", () => {
  const changes: Readonly<Record<string, (file: string) => Promise<void>>> = {
    "is written to": (file) => writeAt(file, 5, "x"),
    grows: (file) => appendFile(file, "more"),
    "is cut short": (file) => truncate(file, 6 * mega),
    "is touched": (file) => utimes(file, 1, 1),
    "is replaced": async (file) => {
      await writeFile(`${file}.new`, Buffer.alloc(8 * mega));
      await rename(`${file}.new`, file);
    },
  };

  it.each(Object.keys(changes))("%s while it is read: refused, and named", async (change) => {
    const folder = await folderWith({ "x.bin": Buffer.alloc(8 * mega) });
    const layer = await oneLayer(folder, ["x.bin"]);
    const reading = layer.open();
    const read = async () => {
      let count = 0;
      for await (const piece of reading) {
        if (count === 0) await changes[change]?.(join(folder, "x.bin"));
        count += piece.length;
      }
      return count;
    };
    const refused = {
      code: "file_failed",
      message: expect.stringContaining(join(folder, "x.bin")),
      hint: expect.any(String),
    };
    await expect(read()).rejects.toMatchObject(refused);
    await expect(reading.digest).rejects.toMatchObject(refused);
    expect(layer.digest).toBeUndefined();
    expect(await openBelow(folder)).toEqual([]);
  });

  it.each(Object.keys(changes))(
    "%s before it is read: refused before anything goes out, whether the digest is known or not",
    async (change) => {
      const folder = await folderWith({ "x.bin": Buffer.alloc(8 * mega) });
      const [unknown, known] = [await oneLayer(folder, ["x.bin"]), await oneLayer(folder, ["x.bin"])];
      await known.known();
      await changes[change]?.(join(folder, "x.bin"));
      for (const layer of [unknown, known]) {
        const pieces = layer.open()[Symbol.asyncIterator]();
        await expect(pieces.next()).rejects.toMatchObject({
          code: "file_failed",
          message: expect.stringMatching(/x\.bin changed/),
        });
      }
      const now = await oneLayer(folder, ["x.bin"]);
      expect(now.identity).not.toBe(known.identity);
    },
  );

  it("is refused when the plan is older than the file", async () => {
    const folder = await folderWith({ "x.bin": "abc" });
    const digests = await openDigests({ XDG_CACHE_HOME: folder });
    const plans = planLayers(await planned(folder, ["x.bin"]));
    await appendFile(join(folder, "x.bin"), "d");
    await expect(openLayers(plans, digests)).rejects.toThrow("x.bin changed");
    await rm(join(folder, "x.bin"));
    await expect(openLayers(plans, digests)).rejects.toMatchObject({
      code: "file_failed",
      message: expect.stringMatching(/x\.bin is not there any more/),
    });
    await mkdir(join(folder, "x.bin"));
    await expect(openLayers(plans, digests)).rejects.toMatchObject({
      code: "file_failed",
      why: "It is not a regular file.",
    });
  });

  it("vanished before it is read: named", async () => {
    const folder = await folderWith({ "x.bin": "abc" });
    const layer = await oneLayer(folder, ["x.bin"]);
    await rm(join(folder, "x.bin"));
    await expect(layer.known()).rejects.toThrow("x.bin is not there any more");
  });

  it("may not be read: said before anything is sent", async () => {
    const folder = await folderWith({ "x.bin": "abc" });
    await chmod(folder, 0o755);
    await chmod(join(folder, "x.bin"), 0);
    await expect(asNobody(() => oneLayer(folder, ["x.bin"]))).rejects.toMatchObject({
      code: "file_failed",
      message: expect.stringMatching(/x\.bin cannot be read/),
      hint: "Give yourself read permission.",
    });
  });
});

it("links inside a project are followed into layers, links that lead outside are refused", async () => {
  const outside = await folderWith({ "w.bin": "outside" });
  const root = await folderWith({ "model/w.bin": "weights" });
  await symlink("w.bin", join(root, "model/link.bin"));
  const everything = { ignores: () => false, prunes: () => false };
  const files = weightFiles(await listFiles(root, "model", everything), "/app");
  const [layer] = await openLayers(planLayers(files), await openDigests({ XDG_CACHE_HOME: outside }));
  expect((await layer?.known())?.files).toEqual([
    { path: "/app/model/link.bin", size: 7, digest: sha256("weights") },
    { path: "/app/model/w.bin", size: 7, digest: sha256("weights") },
  ]);
  await symlink(join(outside, "w.bin"), join(root, "model/out.bin"));
  await expect(listFiles(root, "model", everything)).rejects.toMatchObject({ code: "file_failed" });
});

/** Files below a folder that this process holds open. */
async function openBelow(folder: string): Promise<string[]> {
  const names = await readdir("/proc/self/fd");
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(folder));
}

async function writeAt(file: string, position: number, text: string): Promise<void> {
  const handle = await open(file, "r+");
  await handle.write(text, position);
  await handle.close();
}

/** Root may read everything, so as root the work is done as somebody else. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
