import { createHash, randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { extract } from "tar-stream";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { findImagesByLabel, inspectImage } from "../../src/docker/images.js";
import { loadGrafted } from "../../src/image/graft/thin-load.js";
import type { BlobReading } from "../../src/registry/blob.js";
import { silent } from "../../src/reporter.js";
import { openDigests } from "../../src/weights/digests.js";
import { type Layer, openLayers } from "../../src/weights/layer.js";
import { planLayers } from "../../src/weights/layers.js";
import { modelship, when } from "../setup/cli.js";
import { cleanImagesOf, imagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const weights = randomBytes(70_000_000);

async function project() {
  const { name, root } = await smallProject({ "model/large.bin": weights });
  cleanImagesOf(engine, name);
  const build = async (...args: string[]) => {
    const said = await modelship(["build", "--json", ...networkFlags, ...args], { cwd: root });
    expect(said.code, said.stderr).toBe(0);
    return JSON.parse(said.stdout);
  };
  return { name, root, build };
}

/** Files of a container made of an image, as the engine gives them: path to mode, owner, time and digest. */
async function filesIn(image: string, folder: string) {
  const container = await engine.docker.createContainer({ Image: image, User: "0:0" });
  try {
    const archive = await container.getArchive({ path: folder });
    const files = new Map<string, unknown>();
    for await (const entry of archive.pipe(extract())) {
      const hash = createHash("sha256");
      for await (const chunk of entry) hash.update(chunk as Buffer);
      const { name, mode = 0, uid, gid, mtime, type } = entry.header;
      const content = type === "file" ? { digest: hash.digest("hex"), mtime: mtime?.getTime() } : {};
      files.set(name.replace(/\/$/, ""), { mode: mode & 0o777, uid, gid, ...content });
    }
    return files;
  } finally {
    await container.remove({ force: true });
  }
}

describe("modelship build", () => {
  it("grafts the weights onto the code image: right bytes, modes, owner and times", async () => {
    const { name, build } = await project();
    const { id } = await build();
    const image = await inspectImage(engine, `${name}:1.0.0`);
    const code = await inspectImage(engine, `${name}:code`);
    expect(image?.id).toBe(id);
    expect(image?.labels["dev.modelship.weights"]).toBe("baked");
    expect(code?.labels["dev.modelship.weights"]).toBe("mounted");
    // Two layers on top of the same ones: the large file's, and the small one's.
    expect(image?.layers.slice(0, -2)).toEqual(code?.layers);
    const root = { uid: 0, gid: 0 };
    const files = await filesIn(id, "/app/model");
    expect(files.get("model/large.bin")).toEqual({
      ...root,
      mode: 0o644,
      mtime: 0,
      digest: createHash("sha256").update(weights).digest("hex"),
    });
    expect(files.get("model/factor.txt")).toMatchObject({ ...root, mode: 0o644, mtime: 0 });
    expect(files.get("model")).toMatchObject({ ...root, mode: 0o755 });
    const config = image?.config;
    expect(config).toMatchObject({ user: "10001:10001", workingDir: "/app", exposedPorts: ["8080/tcp"] });
    expect(config?.entrypoint).toEqual(code?.config.entrypoint);
  });

  it("is done at once when nothing changed, and loads only what did", async () => {
    const { root, build } = await project();
    const first = await build();
    const second = await build();
    expect(second).toMatchObject({ id: first.id, key: first.key, cached: true });
    await appendFile(join(root, "model.py"), "# edited\n");
    const edited = await build();
    expect(edited).toMatchObject({ cached: false });
    const [before, after] = await Promise.all([first.id, edited.id].map((id) => inspectImage(engine, id)));
    expect(after?.layers.slice(-2)).toEqual(before?.layers.slice(-2));
    await writeFile(join(root, "model/factor.txt"), "3\n");
    const other = await build();
    expect(other.key).not.toBe(edited.key);
    expect((await inspectImage(engine, other.id))?.layers.at(-2)).toBe(after?.layers.at(-2));
  });

  it("keeps the health check of the code image", async () => {
    const { name, build } = await project();
    const { id } = await build();
    const checks = await Promise.all(
      [`${name}:code`, id].map(async (image) => {
        const container = await engine.docker.createContainer({ Image: image });
        try {
          const { Config } = await container.inspect();
          return (Config as { Healthcheck?: { Test?: string[] } }).Healthcheck?.Test;
        } finally {
          await container.remove({ force: true });
        }
      }),
    );
    expect(checks[0]).toContain("modelship_service.health");
    expect(checks[1]).toEqual(checks[0]);
  });

  it("an interrupt leaves neither image nor tag, also once the engine has all of the archive", async () => {
    const { name, root, build } = await project();
    const { id } = await build("--no-bake");
    const code = await inspectImage(engine, id);
    if (!code) throw new Error("the code image is not there");
    const file = join(root, "model/large.bin");
    const plans = planLayers([{ path: "app/model/large.bin", file, size: weights.length, mode: 0o644 }]);
    const layers = await openLayers(plans, await openDigests({ XDG_CACHE_HOME: root }));
    const interrupt = new AbortController();
    const load = async (tag: string, open: (layer: Layer) => BlobReading, signal?: AbortSignal) => {
      const known = layers.map(async (layer) => {
        const { title, mediaType, size, digest, identity } = layer;
        return {
          ...(await layer.known()),
          blob: { title, mediaType, size, digest, identity, open: () => open(layer) },
        };
      });
      const options = { labels: { tag }, tags: [`${name}:${tag}`], report: silent, signal };
      return loadGrafted(engine, code, await Promise.all(known), options);
    };
    /** Interrupts shortly after the last byte was read. */
    const last = (layer: Layer): BlobReading => ({
      digest: Promise.resolve(layer.digest ?? ""),
      async *[Symbol.asyncIterator]() {
        yield* layer.open();
        setTimeout(() => interrupt.abort(), 100);
      },
    });
    await expect(load("interrupted", last, interrupt.signal)).rejects.toMatchObject({ code: "interrupted" });
    // A whole load takes longer than what an engine could still be doing for the first one.
    const whole = await load("whole", (layer) => layer.open());
    expect(await inspectImage(engine, `${name}:interrupted`)).toBeUndefined();
    expect((await imagesOf(engine, name)).map((image) => image.id).sort()).toEqual([id, whole].sort());
  });

  it("a file that changes while it is loaded leaves neither image nor tag", async () => {
    const { name, root } = await project();
    const said = await modelship(["build", "--json=events", ...networkFlags], {
      cwd: root,
      during: (_, so) =>
        when(so, "Add the model files", () => appendFileSync(join(root, "model/large.bin"), "more")),
    });
    expect(said.code, said.stderr).toBe(1);
    expect(said.stdout).toContain('"file_failed"');
    expect(await imagesOf(engine, name)).toEqual([]);
    expect(await findImagesByLabel(engine, { "dev.modelship.name": name })).toEqual([]);
  });
});
