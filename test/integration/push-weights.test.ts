import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage } from "../../src/docker/images.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";
const manifestTypes =
  "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

let engine: Engine;
/** One for all: an engine takes seconds to compress the base image's layers. The weights of each test are new. */
let cache: string;
beforeAll(async () => {
  engine = await testEngine();
  cache = await mkdtemp(join(tmpdir(), "modelship-test-cache-"));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

/** A project with one large model file that nobody has seen. */
async function heavyProject(bytes: number) {
  const { name, root } = await smallProject();
  cleanImagesOf(engine, name);
  const weights = join(root, "model/weights.bin");
  await writeFile(weights, randomBytes(bytes));
  const push = (repository: string, more: Partial<Parameters<typeof modelship>[1]> = {}) =>
    modelship(["push", `${registry}/${repository}/${name}`, "--json", ...networkFlags], {
      cwd: root,
      ...more,
      env: { XDG_CACHE_HOME: cache, ...more.env },
    });
  const succeeds = async (repository: string) => {
    const said = await push(repository);
    expect(said.code, said.stderr).toBe(0);
    return JSON.parse(said.stdout);
  };
  const manifest = (repository: string) =>
    fetch(`http://${registry}/v2/${repository}/${name}/manifests/1.0.0`, {
      headers: { accept: manifestTypes },
    });
  return { name, root, weights, push, succeeds, manifest };
}

describe("weights", () => {
  it("reach the registry as a plain layer of their own, and the engine never holds them", async () => {
    const { name, weights, succeeds, manifest } = await heavyProject(80_000_000);
    const { bytesSent } = await succeeds("w");
    expect(bytesSent).toBeGreaterThan(80_000_000);
    const { config, layers } = (await (await manifest("w")).json()) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    const blob = async (digest: string) =>
      Buffer.from(await (await fetch(`http://${registry}/v2/w/${name}/blobs/${digest}`)).arrayBuffer());
    const { rootfs, history } = JSON.parse((await blob(config.digest)).toString());
    const [large, small] = layers.slice(-2).map(({ digest }) => digest);
    expect(rootfs.diff_ids.slice(-2)).toEqual([large, small]);
    expect(rootfs.diff_ids.length).toBe(layers.length);
    expect(history.at(-2).created_by).toMatch(/\/app\/model\/weights\.bin sha256:[0-9a-f]{64}/);
    const entries: [string, string, number][] = [];
    for await (const entry of Readable.from([await blob(large ?? "")]).pipe(extract())) {
      const hash = createHash("sha256");
      for await (const chunk of entry) hash.update(chunk as Buffer);
      entries.push([entry.header.name, hash.digest("hex"), entry.header.mode ?? 0]);
    }
    const digest = createHash("sha256");
    for await (const chunk of createReadStream(weights)) digest.update(chunk);
    expect(entries.at(-1)).toEqual(["app/model/weights.bin", digest.digest("hex"), 0o644]);
    const image = await inspectImage(engine, `${name}:code`);
    expect(image?.labels["dev.modelship.weights"]).toBe("mounted");
    expect(await inspectImage(engine, `${registry}/w/${name}:1.0.0`)).toBeUndefined();
  });

  it("are not sent again: not unchanged, not touched, not after an edit, not to another repository", async () => {
    const { root, weights, succeeds } = await heavyProject(70_000_000);
    const first = await succeeds("again");
    const second = await succeeds("again");
    expect(second).toMatchObject({ digest: first.digest, bytesSent: 0 });
    expect(second.seconds).toBeLessThan(2);
    await utimes(weights, new Date(), new Date());
    expect(await succeeds("again")).toMatchObject({ digest: first.digest, bytesSent: 0 });
    await writeFile(join(root, "more.py"), "# new\n");
    const edited = await succeeds("again");
    expect(edited.digest).not.toBe(first.digest);
    expect(edited.bytesSent).toBeLessThan(1_000_000);
  });

  it("are mounted where one push goes to two repositories of a registry", async () => {
    const { name, root } = await heavyProject(70_000_000);
    const said = await modelship(
      ["push", `${registry}/m1/${name}`, `${registry}/m2/${name}`, "--json", ...networkFlags],
      { cwd: root, env: { XDG_CACHE_HOME: cache } },
    );
    expect(said.code, said.stderr).toBe(0);
    const [one, two] = JSON.parse(said.stdout).pushed;
    expect(two.digest).toBe(one.digest);
    expect(two.bytesMounted).toBeGreaterThan(70_000_000);
    expect(two.bytesSent).toBeLessThan(100_000);
  });
});

describe("a push that breaks off", () => {
  const kills = engineKills();

  it(`killed at ${kills} random moments goes on, and ends with what a whole push gives`, async () => {
    const { succeeds, push, manifest } = await heavyProject(200_000_000);
    const whole = await succeeds("whole");
    for (let kill = 0; kill < kills; kill++) {
      const wait = 250 + Math.random() * 900;
      const said = await push("killed", { during: (child) => setTimeout(() => child.kill("SIGKILL"), wait) });
      const there = await manifest("killed");
      if (said.code !== 0 && there.status === 404) continue;
      // It came as far as the tag, or to its end; never is there something in between.
      expect(there.status).toBe(200);
      expect(there.headers.get("docker-content-digest")).toBe(whole.digest);
    }
    expect((await succeeds("killed")).digest).toBe(whole.digest);
  });

  it("does not send again what the killed one had finished", async () => {
    const { push, succeeds } = await heavyProject(400_000_000);
    const killed = await push("half", {
      during: async (child) => {
        while (child.exitCode === null && (await arrived(cache)) === 0) await sleep(10);
        child.kill("SIGKILL");
      },
    });
    expect(killed.code).toBeNull();
    const before = await arrived(cache);
    expect(before).toBeGreaterThan(0);
    const { bytesSent } = await succeeds("half");
    // What is left of the weights, and the code's layers, which come to less than half of this.
    expect(bytesSent).toBeLessThan(400_000_000 - before + 200_000_000);
    expect(await arrived(cache)).toBe(0);
  });

  it("a file that shrinks while it is sent ends it, with its name and no tag", async () => {
    const { weights, push, manifest } = await heavyProject(300_000_000);
    const said = await push("shrunk", {
      during: (child, so) => {
        const look = setInterval(() => {
          if (!so.stderr.includes("weights.bin") && child.exitCode === null) return;
          clearInterval(look);
          void truncate(weights, 1000);
        }, 10);
      },
    });
    expect(said.code, said.stderr).toBe(1);
    expect(JSON.parse(said.stdout).error).toMatchObject({ code: "file_failed" });
    expect(said.stdout).toContain("weights.bin");
    expect((await manifest("shrunk")).status).toBe(404);
  });

  it("two pushes of the same project at once both end with the same digest", async () => {
    const { push, succeeds } = await heavyProject(150_000_000);
    await succeeds("before");
    const both = await Promise.all([push("both"), sleep(100).then(() => push("both"))]);
    for (const said of both) expect(said.code, said.stderr).toBe(0);
    const [one, two] = both.map((said) => JSON.parse(said.stdout).digest);
    expect(two).toBe(one);
  });
});

/** Bytes of half-sent blobs that the registry has acknowledged, as the cache remembers. */
async function arrived(folder: string): Promise<number> {
  const uploads = join(folder, "modelship/uploads");
  let bytes = 0;
  for (const name of await readdir(uploads).catch(() => [])) {
    const text = await readFile(join(uploads, name), "utf8").catch(() => "");
    bytes += Number(/"offset":\s*(\d+)/.exec(text)?.[1] ?? 0);
  }
  return bytes;
}

/** All of it once; on further engines, which take no part in sending weights, a few. */
function engineKills(): number {
  return process.env.MODELSHIP_TEST_ENGINE === "default" ? 20 : 3;
}
