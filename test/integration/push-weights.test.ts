import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage } from "../../src/docker/images.js";
import { modelship } from "../setup/cli.js";
import { networkFlags, testEngine } from "../setup/engine.js";
import { heavyProject } from "./heavy-project.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";

let engine: Engine;
let cache: string;
beforeAll(async () => {
  engine = await testEngine();
  cache = await mkdtemp(join(tmpdir(), "modelship-test-cache-"));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

describe("weights", () => {
  it("reach the registry as a plain layer of their own, and the engine never holds them", async () => {
    const { name, weights, succeeds, manifest } = await heavyProject(engine, cache, 80_000_000);
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
    expect(history.at(-2).created_by).toBe("modelship weights /app/model/weights.bin");
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
    const { root, weights, succeeds } = await heavyProject(engine, cache, 70_000_000);
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

  it("are not sent again by a machine that knows nothing of them, for the next version", async () => {
    const { root, name, succeeds } = await heavyProject(engine, cache, 70_000_000);
    await succeeds("next");
    const elsewhere = await mkdtemp(join(tmpdir(), "modelship-test-cache-"));
    const args = ["push", `${registry}/next/${name}:1.0.1`, "--json", ...networkFlags];
    const said = await modelship(args, { cwd: root, env: { XDG_CACHE_HOME: elsewhere } });
    await rm(elsewhere, { recursive: true });
    expect(said.code, said.stderr).toBe(0);
    expect(JSON.parse(said.stdout).pushed[0].bytesSent).toBeLessThan(1_000_000);
  });

  it("are mounted where one push goes to two repositories of a registry", async () => {
    const { name, root } = await heavyProject(engine, cache, 70_000_000);
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

  it("are published with other faces too, and with an SBOM and the provenance beside the image", async () => {
    const { name, root, weights } = await heavyProject(engine, cache, 70_000_000);
    const args = ["--also", "weights,modelcar", "--also", "modelpack"];
    const push = async () => {
      const said = await modelship(
        ["push", `${registry}/faces/${name}`, ...args, "--json", ...networkFlags],
        { cwd: root, env: { XDG_CACHE_HOME: cache } },
      );
      expect(said.code, said.stderr).toBe(0);
      return JSON.parse(said.stdout).pushed[0];
    };
    const pushed = await push();
    const document = async (tag: string, kind = "manifests") =>
      (await (
        await fetch(`http://${registry}/v2/faces/${name}/${kind}/${tag}`, {
          headers: {
            accept: [
              "application/vnd.oci.image.manifest.v1+json",
              "application/vnd.oci.image.index.v1+json",
              "application/vnd.docker.distribution.manifest.v2+json",
            ].join(", "),
          },
        })
      ).json()) as Manifest;
    const layersOf = ({ layers = [] }: Manifest) => layers.map(({ digest }) => digest);
    const own = layersOf(await document("1.0.0")).slice(-2);
    expect(pushed.also.map((one: { reference: string }) => one.reference.split(":").at(-1))).toEqual([
      "1.0.0-weights",
      "1.0.0-modelcar",
      "1.0.0-modelpack",
    ]);
    expect(layersOf(await document("1.0.0-weights")).slice(0, 2)).toEqual(own);
    const modelcar = layersOf(await document("1.0.0-modelcar"));
    expect(modelcar.slice(-3, -1)).toEqual(own);
    expect(modelcar[0]).toBe(layersOf(await document("1.0.0"))[0]);
    const modelpack = await document("1.0.0-modelpack");
    expect(layersOf(modelpack)).toEqual(own);
    expect(modelpack.artifactType).toBe("application/vnd.cncf.model.manifest.v1+json");
    // Debian's registry has no list of referrers of its own.
    const { manifests = [] } = await document(pushed.digest.replace(":", "-"));
    expect(manifests.map(({ artifactType }) => artifactType).sort()).toEqual([
      "application/spdx+json",
      "application/vnd.in-toto+json",
    ]);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(weights)) hash.update(chunk);
    const digest = hash.digest("hex");
    for (const { digest: referrer } of manifests) {
      const [layer = ""] = layersOf(await document(referrer));
      const text = JSON.stringify(await document(layer, "blobs"));
      expect(text).toContain(digest);
      expect(text).not.toContain(root);
    }
    expect(await push()).toMatchObject({ digest: pushed.digest, bytesSent: 0, attached: pushed.attached });
  });
});

interface Manifest {
  artifactType?: string;
  layers?: { digest: string }[];
  manifests?: { digest: string; artifactType: string }[];
}
