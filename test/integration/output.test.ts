import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage } from "../../src/docker/images.js";
import { loadImage } from "../../src/docker/load.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";
import { smallProject } from "../setup/project.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

describe("modelship build --output", () => {
  it("writes what push sends without an engine, and what an engine loads", async () => {
    const { name, root } = await smallProject({ "model/large.bin": randomBytes(66_000_000) });
    cleanImagesOf(engine, name);
    const out = await folderWith({});
    const command = async (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
      const said = await modelship([...args, "--json"], { cwd: root, env });
      expect(said.code, said.stderr).toBe(0);
      return JSON.parse(said.stdout);
    };
    const build = (output: string) => command(["build", "--output", output, ...networkFlags]);
    const folder = await build(`oci-dir=${out}/layout`);
    expect(folder).toMatchObject({ path: join(out, "layout"), tags: [`${name}:1.0.0`] });
    const again = await build(`oci-dir=${out}/layout`);
    expect(again.digest).toBe(folder.digest);
    expect(again.bytesKept).toBeGreaterThan(66_000_000);
    const tar = await build(`oci-tar=${out}/image.tar`);
    expect(tar.digest).toBe(folder.digest);

    const offline = { DOCKER_HOST: "unix:///nowhere.sock" };
    for (const path of [join(out, "layout"), join(out, "image.tar")]) {
      const pushed = await command(["push", `${registry}/output/${name}`, "--from", path], offline);
      expect(pushed.digest).toBe(folder.digest);
      expect(pushed.pushed[0].reference).toBe(`${registry}/output/${name}:1.0.0`);
    }
    const pulled = await command(
      ["pull", `${registry}/output/${name}@${folder.digest}`, "--to", join(out, "weights")],
      offline,
    );
    expect(pulled.files.map((file: { path: string }) => file.path)).toEqual(["factor.txt", "large.bin"]);

    await build(`docker-tar=${out}/docker.tar`);
    await loadImage(engine, createReadStream(join(out, "docker.tar")));
    const loaded = await inspectImage(engine, `${name}:1.0.0`);
    expect(loaded?.labels["dev.modelship.weights"]).toBe("baked");
    const inside = await modelship(["build", "--output", "oci-tar=image.tar"], { cwd: root });
    expect(inside).toMatchObject({ code: 2 });
    expect(inside.stderr).toContain(".dockerignore");
    expect(await modelship(["build", "--output", "zip=x"], { cwd: root })).toMatchObject({ code: 2 });
  });
});
