import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pack } from "tar-stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { partsOf } from "../../../../src/image/layout/content.js";
import { type Layout, openLayout } from "../../../../src/image/layout/read.js";
import { type LayoutKind, writeLayout } from "../../../../src/image/layout/write.js";
import { digestOf } from "../../../../src/registry/manifest.js";
import { folderWith } from "../../../setup/folder.js";
import { all, inDockerTypes, indexImage, manifestType, smallImage, tarOf } from "./image.js";

async function opened(path: string): Promise<Layout> {
  const layout = await openLayout(path);
  onTestFinished(() => layout.close());
  return layout;
}

/** The digests of everything that a layout says it has: as it says, and as they are. */
async function contents(layout: Layout): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const queue = layout.entries.map(({ descriptor }) => descriptor);
  for (const descriptor of queue) {
    const { body, digest } = await layout.manifest(descriptor);
    found.set(digest, digestOf(body));
    const parts = partsOf(body);
    queue.push(...parts.manifests);
    for (const blob of parts.blobs) found.set(blob.digest, digestOf(await all(layout.blob(blob).open())));
  }
  return found;
}

const whole = (bytes: Map<string, Buffer>) => new Map([...bytes.keys()].map((digest) => [digest, digest]));
const namesOf = (layout: Layout) => layout.entries.map(({ name }) => name);

describe.each<LayoutKind>(["oci-dir", "oci-tar"])("an image in an %s", (kind) => {
  it.each([
    ["of one platform", smallImage],
    ["of two platforms", indexImage],
  ])("%s comes back as it was, name and bytes", async (_, make) => {
    const { image, bytes } = await make();
    const path = join(await folderWith({}), "out");
    const written = await writeLayout(kind, path, image);
    expect(written).toMatchObject({ path, digest: digestOf(image.manifest.body), bytesKept: 0 });
    const layout = await opened(path);
    expect(namesOf(layout)).toEqual(image.names);
    expect(layout.entries[0]?.descriptor.mediaType).toBe(image.manifest.mediaType);
    expect(await contents(layout)).toEqual(whole(bytes));
    expect(await readdir(join(path, ".."))).toEqual(["out"]);
  });

  it.each([
    ["of one platform", smallImage],
    ["of two platforms", indexImage],
  ])("%s has OCI's types where it had Docker's, and the same blobs", async (_, make) => {
    const { image } = await make();
    const path = join(await folderWith({}), "out");
    const written = await writeLayout(kind, path, inDockerTypes(image));
    const layout = await opened(path);
    const found = await contents(layout);
    expect(found).toEqual(new Map([...found.keys()].map((digest) => [digest, digest])));
    expect([...found.keys()]).toEqual(expect.arrayContaining(image.blobs.map(({ digest }) => digest)));
    const [entry] = layout.entries;
    expect(entry?.descriptor).toMatchObject({ digest: written.digest, mediaType: image.manifest.mediaType });
    if (!entry) throw new Error("no entry");
    expect((await layout.manifest(entry.descriptor)).body.toString()).not.toContain("vnd.docker");
  });

  it("is read from any place on", async () => {
    const { image } = await smallImage();
    const path = join(await folderWith({}), "out");
    await writeLayout(kind, path, image);
    const layout = await opened(path);
    const weights = partsOf(image.manifest.body).blobs[2];
    if (!weights) throw new Error("no weights");
    const bytes = await all(layout.blob(weights).open());
    expect((await all(layout.blob(weights).open(2_000_000))).equals(bytes.subarray(2_000_000))).toBe(true);
    expect(await layout.has(weights)).toBe(true);
    expect(await layout.has({ ...weights, size: 1 })).toBe(false);
  });

  it("is not written where a blob is not what its digest says", async () => {
    const { image } = await smallImage();
    const [config, layer, weights] = image.blobs;
    if (!config || !layer || !weights) throw new Error("no blobs");
    const wrong = { ...weights, digest: weights.digest, open: () => Object.assign(layer.open(), {}) };
    const folder = await folderWith({});
    const work = writeLayout(kind, join(folder, "out"), { ...image, blobs: [config, layer, wrong] });
    await expect(work).rejects.toMatchObject({ code: "file_failed" });
    if (kind === "oci-tar") expect(await readdir(folder)).toEqual([]);
    else expect(await readdir(join(folder, "out"))).not.toContain("index.json");
  });

  it("leaves nothing under its name when it is interrupted", async () => {
    const { image } = await smallImage();
    const folder = await folderWith({});
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const work = writeLayout(kind, join(folder, "out"), image, { onProgress, signal: controller.signal });
    await expect(work).rejects.toMatchObject({ code: "interrupted" });
    if (kind === "oci-tar") expect(await readdir(folder)).toEqual([]);
    else expect(await readdir(join(folder, "out"))).not.toContain("index.json");
  });
});

describe("a layout that is there", () => {
  it("keeps its blobs and its other images", async () => {
    const path = join(await folderWith({}), "layout");
    const { image } = await smallImage();
    const first = await writeLayout("oci-dir", path, image);
    const other = await smallImage("arm64");
    const more = { ...other.image, names: ["registry.example/you/other:1"] };
    await writeLayout("oci-dir", path, more);
    const again = await writeLayout("oci-dir", path, image);
    expect(again.bytesWritten).toBe(0);
    expect(again.bytesKept).toBeGreaterThanOrEqual(first.bytesWritten);
    expect(namesOf(await opened(path)).sort()).toEqual([...image.names, ...more.names]);
  });

  it("gives a name that is taken to the newer image", async () => {
    const path = join(await folderWith({}), "layout");
    await writeLayout("oci-dir", path, (await smallImage()).image);
    const { image } = await smallImage();
    await writeLayout("oci-dir", path, image);
    const { entries } = await opened(path);
    expect(entries).toHaveLength(1);
    expect(entries[0]?.descriptor.digest).toBe(digestOf(image.manifest.body));
    expect(entries[0]?.descriptor.annotations?.["org.opencontainers.image.ref.name"]).toBe("1.2.0");
  });

  it("is gone on with where it broke off before it had an index", async () => {
    const path = join(await folderWith({}), "layout");
    const { image, bytes } = await smallImage();
    await writeLayout("oci-dir", path, image);
    await rename(join(path, "index.json"), join(path, "..", "gone.json"));
    await writeLayout("oci-dir", path, image);
    expect(await contents(await opened(path))).toEqual(whole(bytes));
  });

  it("is no other folder, and no file", async () => {
    const { image } = await smallImage();
    const folder = await folderWith({ "mine/letter.txt": "dear", file: "x" });
    for (const [kind, name] of [
      ["oci-dir", "mine"],
      ["oci-dir", "file"],
      ["oci-tar", "mine"],
      ["docker-tar", "mine"],
    ] as const) {
      await expect(writeLayout(kind, join(folder, name), image), `${kind} ${name}`).rejects.toMatchObject({
        code: "files_exist",
      });
    }
    expect(await readdir(join(folder, "mine"))).toEqual(["letter.txt"]);
  });

  it("is not written through a link in it", async () => {
    const { image } = await smallImage();
    const folder = await folderWith({ "layout/oci-layout": '{"imageLayoutVersion":"1.0.0"}', "else/x": "" });
    await symlink(join(folder, "else"), join(folder, "layout", "blobs"));
    const work = writeLayout("oci-dir", join(folder, "layout"), image);
    await expect(work).rejects.toMatchObject({ code: "files_exist" });
    expect(await readdir(join(folder, "else"))).toEqual(["x"]);
  });
});

describe("a docker-tar", () => {
  it("has the configuration, the layers as they are, and the names", async () => {
    const { image, bytes } = await smallImage();
    const path = join(await folderWith({}), "out.tar");
    await writeLayout("docker-tar", path, image);
    const layout = await opened(path);
    expect(namesOf(layout)).toEqual(image.names);
    const found = await contents(layout);
    // Its manifest is made anew; of these two layers and this configuration the same one comes out.
    expect(found).toEqual(whole(bytes));
  });

  it("holds one platform", async () => {
    const { image } = await indexImage();
    const path = join(await folderWith({}), "out.tar");
    await expect(writeLayout("docker-tar", path, image)).rejects.toMatchObject({ code: "usage" });
  });

  it("of an older engine has layers that are links to others", async () => {
    const layer = await tarOf({ "hello.txt": "hello" });
    const id = digestOf(layer);
    const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { diff_ids: [id, id] } });
    const tar = pack();
    tar.entry({ name: "one/layer.tar" }, layer);
    tar.entry({ name: "two/layer.tar", type: "symlink", linkname: "../one/layer.tar" });
    tar.entry({ name: "c.json" }, config);
    const list = [{ Config: "c.json", RepoTags: null, Layers: ["one/layer.tar", "two/layer.tar"] }];
    tar.entry({ name: "manifest.json" }, JSON.stringify(list));
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    const folder = await folderWith({ "saved.tar": Buffer.concat(chunks) });
    const layout = await opened(join(folder, "saved.tar"));
    expect(namesOf(layout)).toEqual([undefined]);
    expect((await contents(layout)).get(id)).toBe(id);
  });
});

describe("refused is a layout", () => {
  const refusal = { code: "file_failed" };
  const layoutWith = async (files: Record<string, string | Buffer>) =>
    folderWith({ "oci-layout": '{"imageLayoutVersion":"1.0.0"}', ...files });

  it.each([
    ["that is no layout", { "letter.txt": "dear" }],
    ["of another version", { "oci-layout": '{"imageLayoutVersion":"9"}', "index.json": '{"manifests":[]}' }],
    ["without an index", { "oci-layout": '{"imageLayoutVersion":"1.0.0"}' }],
    ["whose index is no JSON", { "oci-layout": '{"imageLayoutVersion":"1.0.0"}', "index.json": "{" }],
    [
      "whose index has an odd entry",
      {
        "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
        "index.json": '{"manifests":[{"digest":"sha256:../../../etc/passwd","size":1,"mediaType":"x"}]}',
      },
    ],
    ["that is a file of another kind", { "x.tar": Buffer.alloc(2048, 7) }],
    ["that is a compressed tar", { "x.tar": Buffer.from("1f8b08".padEnd(2048, "0"), "hex") }],
    ["that is a tar without an image", { "x.tar": Buffer.alloc(1024) }],
  ])("%s", async (_, files: Record<string, string | Buffer>) => {
    const folder = await folderWith(files);
    await expect(openLayout("x.tar" in files ? join(folder, "x.tar") : folder)).rejects.toMatchObject(
      refusal,
    );
  });

  it("whose manifest is another, or of another size", async () => {
    const { image } = await smallImage();
    const path = join(await folderWith({}), "layout");
    const { digest } = await writeLayout("oci-dir", path, image);
    const layout = await opened(path);
    const descriptor = { digest, mediaType: manifestType, size: image.manifest.body.length };
    await expect(layout.manifest({ ...descriptor, size: 10 })).rejects.toMatchObject(refusal);
    const changed = Buffer.from(image.manifest.body);
    changed[0] = 32;
    await writeFile(join(path, "blobs", digest.replace(":", "/")), changed);
    await expect(layout.manifest(descriptor)).rejects.toMatchObject(refusal);
  });

  it("whose blob is a link to a file of this machine", async () => {
    const secret = Buffer.from("a secret of this machine");
    const digest = digestOf(secret);
    const folder = await layoutWith({ "index.json": '{"manifests":[]}', "blobs/sha256/x": "", secret });
    await symlink(join(folder, "secret"), join(folder, "blobs", digest.replace(":", "/")));
    const blob = (await opened(folder)).blob({ digest, mediaType: "x", size: secret.length });
    await expect(all(blob.open())).rejects.toMatchObject(refusal);
    await mkdir(join(folder, "other"));
    await rename(join(folder, "blobs"), join(folder, "other", "blobs"));
    await symlink(join(folder, "other", "blobs"), join(folder, "blobs"));
    await expect(all(blob.open())).rejects.toMatchObject(refusal);
  });

  it("of a docker-tar that links to a file of this machine, or to itself", async () => {
    for (const linkname of ["/etc/passwd", "../../../etc/passwd", "c.json"]) {
      const tar = pack();
      tar.entry({ name: "c.json", type: "symlink", linkname });
      tar.entry({ name: "manifest.json" }, JSON.stringify([{ Config: "c.json", RepoTags: [], Layers: [] }]));
      tar.finalize();
      const chunks: Buffer[] = [];
      for await (const chunk of tar) chunks.push(chunk as Buffer);
      const folder = await folderWith({ "x.tar": Buffer.concat(chunks) });
      await expect(openLayout(join(folder, "x.tar")), linkname).rejects.toMatchObject(refusal);
    }
  });

  it("in a tar that is cut, or whose sizes are lies", async () => {
    const { image } = await smallImage();
    const path = join(await folderWith({}), "out.tar");
    await writeLayout("oci-tar", path, image);
    const bytes = await readFile(path);
    const cut = await folderWith({ "x.tar": bytes.subarray(0, bytes.length - 1_000_000) });
    await expect(openLayout(join(cut, "x.tar"))).rejects.toMatchObject(refusal);
    const lie = Buffer.from(bytes);
    lie.write("77777777777", 124, "latin1");
    const sum = Buffer.from(lie.subarray(0, 512))
      .fill(" ", 148, 156)
      .reduce((total, byte) => total + byte, 0);
    lie.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    const lying = await folderWith({ "x.tar": lie });
    await expect(openLayout(join(lying, "x.tar"))).rejects.toMatchObject(refusal);
  });

  it("in a tar that changes while it is in use", async () => {
    const { image } = await smallImage();
    const path = join(await folderWith({}), "out.tar");
    const { digest } = await writeLayout("oci-tar", path, image);
    const layout = await opened(path);
    await writeFile(path, createHash("sha256").update("other").digest());
    const descriptor = { digest, mediaType: manifestType, size: image.manifest.body.length };
    await expect(layout.manifest(descriptor)).rejects.toMatchObject(refusal);
    expect((await stat(path)).size).toBe(32);
  });
});
