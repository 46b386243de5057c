import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { connectEngine } from "../../src/docker/connect.js";
import { findImagesByLabel } from "../../src/docker/images.js";
import { loadImage, saveImage } from "../../src/docker/load.js";
import { Label } from "../../src/image/label-names.js";
import { modelship } from "../setup/cli.js";
import { testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";
import { smallProject } from "../setup/project.js";
import { smallDisk, smallEngine } from "../setup/small-engine.js";

/** Only root can mount a disk that is full; elsewhere these are counted as skipped. */
describe.runIf(userInfo().uid === 0)("on a full disk", () => {
  it("init says so and leaves nothing behind", async () => {
    const disk = smallDisk("16k");
    onTestFinished(disk.remove);
    const said = await modelship(["init", "digits", "--template", "sklearn", "--json"], { cwd: disk.path });
    expect(said.code, said.stderr).toBe(1);
    expect(JSON.parse(said.stdout).error).toMatchObject({ code: "disk_full", hint: expect.any(String) });
    expect(await readdir(disk.path)).toEqual([]);
  });

  it("init --from says so while it copies the model, and leaves nothing behind", async () => {
    const disk = smallDisk("1m");
    onTestFinished(disk.remove);
    const models = await folderWith({ "large.bin": randomBytes(3 * 1024 * 1024) });
    const from = join(models, "large.bin");
    const said = await modelship(["init", "large", "--from", from, "--json"], { cwd: disk.path });
    expect(said.code, said.stderr).toBe(1);
    expect(JSON.parse(said.stdout).error).toMatchObject({ code: "disk_full", hint: expect.any(String) });
    expect(await readdir(disk.path)).toEqual([]);
  });

  describe("of the engine", () => {
    let small: Awaited<ReturnType<typeof smallEngine>> | undefined;
    beforeAll(async () => {
      small = await smallEngine("700m");
      const base = process.env.MODELSHIP_IMAGE_BASE ?? "python:3.12-slim-bookworm";
      const archive = await saveImage(await testEngine(), [base]);
      await loadImage(await connectEngine({ host: small.host, env: {} }), archive.pipe(new PassThrough()));
    });
    afterAll(() => small?.stop());

    it("build says so and leaves no image", async () => {
      const host = small?.host ?? "";
      const { name, root } = await smallProject({ "model/large.bin": randomBytes(450 * 1024 * 1024) });
      const said = await modelship(["build", "--host", host, "--network", "host", "--json"], {
        cwd: root,
      });
      expect(said.code, said.stderr).toBe(1);
      expect(JSON.parse(said.stdout).error).toMatchObject({ code: "disk_full", hint: expect.any(String) });
      const engine = await connectEngine({ host, env: {} });
      expect(await findImagesByLabel(engine, { [Label.name]: name })).toEqual([]);
    });
  });
});
