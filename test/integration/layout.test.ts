import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { build } from "../../src/docker/build.js";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage, removeImage } from "../../src/docker/images.js";
import { loadImage, saveImage } from "../../src/docker/load.js";
import type { LayoutImage } from "../../src/image/layout/content.js";
import { partsOf } from "../../src/image/layout/content.js";
import { openLayout } from "../../src/image/layout/read.js";
import { type LayoutKind, writeLayout } from "../../src/image/layout/write.js";
import { run } from "../setup/cli.js";
import { folderWith } from "../setup/folder.js";
import { base, requestOf, testEngine, textFile } from "./engine.js";

const text = randomBytes(8).toString("hex");
const tag = `modelship-test-layout:${text}`;

let engine: Engine;
/** What the engine itself saves of a small image, read as a layout. */
let saved: LayoutImage;
beforeAll(async () => {
  engine = await testEngine();
  const folder = await mkdtemp(join(tmpdir(), "modelship-test-"));
  const path = join(folder, "saved.tar");
  const files = [textFile("text", text)];
  await build(engine, requestOf(`FROM ${base}\nCOPY text /text\n`, { files, tags: [tag] }), () => {});
  await pipeline(await saveImage(engine, [tag]), createWriteStream(path));
  await removeImage(engine, tag, { force: true });
  const layout = await openLayout(path);
  saved = await imageOf(layout);
  return async () => {
    await layout.close();
    await rm(folder, { recursive: true, force: true });
  };
});

/** The image for one platform that the engine's archive holds. */
async function imageOf(layout: Awaited<ReturnType<typeof openLayout>>): Promise<LayoutImage> {
  const [entry] = layout.entries;
  if (!entry) throw new Error("the engine saved nothing");
  const top = await layout.manifest(entry.descriptor);
  const below = partsOf(top.body).manifests;
  for (const descriptor of below.length > 0 ? below : [entry.descriptor]) {
    const manifest = await layout.manifest(descriptor).catch(() => undefined);
    const { blobs } = manifest ? partsOf(manifest.body) : { blobs: [] };
    const here = await Promise.all(blobs.map((blob) => layout.has(blob)));
    if (manifest && here.length > 0 && here.every(Boolean)) {
      return { names: [tag], manifest, blobs: blobs.map((blob) => layout.blob(blob)) };
    }
  }
  throw new Error("the engine saved no whole image");
}

/** What a container made of the image prints. */
async function printed(image: string, command: string[]): Promise<string> {
  const container = await engine.docker.createContainer({
    Image: image,
    Cmd: command,
    Tty: true,
    HostConfig: { NetworkMode: "none" },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    expect(StatusCode).toBe(0);
    return (await container.logs({ stdout: true })).toString().trim();
  } finally {
    await container.remove({ force: true });
  }
}

async function skopeo(reference: string) {
  const cwd = await folderWith({});
  const said = await run("skopeo", ["inspect", reference], { cwd });
  expect(said.code, said.stderr).toBe(0);
  return JSON.parse(said.stdout) as { Digest: string; Layers: string[]; Os: string };
}

describe("an image that the engine saved", () => {
  it("is written as a docker-tar, which the engine loads and runs", async () => {
    const path = join(await folderWith({}), "out.tar");
    await writeLayout("docker-tar", path, saved);
    expect(await inspectImage(engine, tag)).toBeUndefined();
    onTestFinished(async () => {
      await removeImage(engine, tag, { force: true });
    });
    await loadImage(engine, createReadStream(path));
    expect(await printed(tag, ["cat", "/text"])).toBe(text);
  });

  it.each<[LayoutKind, string]>([
    ["oci-dir", "oci"],
    ["oci-tar", "oci-archive"],
  ])("is written as an %s, which skopeo reads", async (kind, transport) => {
    const path = join(await folderWith({}), "out");
    const { digest } = await writeLayout(kind, path, saved);
    const seen = await skopeo(`${transport}:${path}:${text}`);
    expect(seen).toMatchObject({ Digest: digest, Os: "linux" });
    expect(seen.Layers).toEqual(
      partsOf(saved.manifest.body)
        .blobs.slice(1)
        .map((layer) => layer.digest),
    );
  });

  it("is written as a docker-tar, which skopeo reads", async () => {
    const path = join(await folderWith({}), "out.tar");
    await writeLayout("docker-tar", path, saved);
    expect((await skopeo(`docker-archive:${path}`)).Layers).toHaveLength(saved.blobs.length - 1);
  });
});
