import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { removeImage } from "../../src/docker/images.js";
import { modelship } from "../setup/cli.js";
import { imagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";
import { smallDisk } from "../setup/small-engine.js";
import { eventually } from "./engine.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";
const large = randomBytes(70_000_000);
const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Pushed once: name@digest, and how to pull it. */
let name: string;
let pushed: string;
/** The same weights with other faces. */
let also: string[];
let root: string;
beforeAll(async () => {
  name = `test-${randomBytes(4).toString("hex")}`;
  root = await mkdtemp(join(tmpdir(), "modelship-test-pull-"));
  const files = {
    "modelship.yaml": `name: ${name}\nversion: 1.0.0\n`,
    "model.py": "class Model: ...\n",
    "model/factor.txt": "2\n",
    "model/large.bin": large,
    "model/deep/er/small.txt": "small",
  };
  await mkdir(join(root, "model/deep/er"), { recursive: true });
  for (const [path, content] of Object.entries(files)) await writeFile(join(root, path), content);
  const faces = ["--also", "weights,modelcar,modelpack"];
  const said = await modelship(["push", `${registry}/pull/${name}`, ...faces, ...networkFlags, "--json"], {
    cwd: root,
  });
  expect(said.code, said.stderr).toBe(0);
  const result = JSON.parse(said.stdout);
  pushed = result.reference;
  also = result.pushed[0].also.map((one: { reference: string }) => one.reference);
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
  const engine = await testEngine();
  for (const image of await imagesOf(engine, name)) await removeImage(engine, image.id, { force: true });
});

async function pull(reference: string, cwd: string) {
  return modelship(["pull", reference, "--to", "weights", "--json"], { cwd });
}

type Onward = (take: (answer: IncomingMessage) => void) => void;

/** A registry that passes everything on to the real one but what `change` takes. */
async function between(change: (url: string, response: ServerResponse, onward: Onward) => boolean) {
  const [host, port] = registry.split(":");
  const server = createServer((request, response) => {
    const { method, url: path = "", headers } = request;
    const onward: Onward = (take) => void request.pipe(forward({ host, port, method, path, headers }, take));
    if (change(path, response, onward)) return;
    onward((answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return pushed.replace(registry, `127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** Waits until a pull has most of the large file in its stage. */
async function eventuallyStaged(cwd: string) {
  const stage = join(cwd, "weights", ".modelship-pull");
  await eventually("the large file is half there", 30, async () => {
    const names = await readdir(stage, { recursive: true });
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(stage, name))).size));
    return sizes.some((size) => size > 30_000_000);
  });
}

/** A registry that stops in the middle of the large layer, and stays silent. */
async function stopsHalfway() {
  let halfway = () => {};
  const half = new Promise<void>((resolve) => {
    halfway = resolve;
  });
  const reference = await between((url, response, onward) => {
    if (!/\/blobs\//.test(url)) return false;
    onward((answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      let sent = 0;
      answer.on("data", (chunk: Buffer) => {
        if (sent > 40_000_000) return;
        sent += chunk.length;
        response.write(chunk);
        if (sent > 40_000_000) halfway();
      });
      answer.on("end", () => sent > 40_000_000 || response.end());
    });
    return true;
  });
  return { reference, half };
}

describe("modelship pull", () => {
  it("brings the model files without an engine, and the second time fetches none", async () => {
    const cwd = await folderWith({});
    const said = await modelship(["pull", pushed, "--to", "weights", "--json"], {
      cwd,
      env: { DOCKER_HOST: "unix:///nowhere.sock" },
    });
    expect(said.code, said.stderr).toBe(0);
    const result = JSON.parse(said.stdout);
    expect(result).toMatchObject({ reference: pushed, to: join(cwd, "weights") });
    expect(result.bytesReceived).toBeGreaterThan(70_000_000);
    expect(result.files.map((file: { path: string }) => file.path)).toEqual([
      "deep/er/small.txt",
      "factor.txt",
      "large.bin",
    ]);
    expect(digestOf(await readFile(join(cwd, "weights/large.bin")))).toBe(digestOf(large));
    expect(await readFile(join(cwd, "weights/deep/er/small.txt"), "utf8")).toBe("small");
    expect((await stat(join(cwd, "weights/large.bin"))).mode & 0o777).toBe(0o644);
    expect((await readdir(join(cwd, "weights"))).sort()).toEqual(["deep", "factor.txt", "large.bin"]);
  });

  it("fetches nothing of a large file that is there, and what is not right or not there again", async () => {
    const cwd = await folderWith({});
    const first = JSON.parse((await pull(pushed, cwd)).stdout);
    const again = JSON.parse((await pull(pushed, cwd)).stdout);
    expect(again).toMatchObject({ digest: first.digest, files: first.files });
    // Docker's manifests do not tell of each file of a layer of small ones.
    expect(again.bytesReceived).toBeLessThan(20_000);
    await writeFile(join(cwd, "weights/factor.txt"), "9\n");
    await rm(join(cwd, "weights/large.bin"));
    expect((await pull(pushed, cwd)).code).toBe(0);
    expect(await readFile(join(cwd, "weights/factor.txt"), "utf8")).toBe("2\n");
    expect(digestOf(await readFile(join(cwd, "weights/large.bin")))).toBe(digestOf(large));
  });

  it("killed in the middle leaves no half file under its name, and the next one goes on", async () => {
    const cwd = await folderWith({});
    const { reference, half } = await stopsHalfway();
    const killed = await modelship(["pull", reference, "--to", "weights"], {
      cwd,
      during: (child) => {
        void half.then(() => eventuallyStaged(cwd)).then(() => child.kill("SIGKILL"));
      },
    });
    expect(killed.code).toBeNull();
    expect(await readdir(join(cwd, "weights"))).not.toContain("large.bin");
    const said = await pull(pushed, cwd);
    expect(said.code, said.stderr).toBe(0);
    expect(JSON.parse(said.stdout).bytesReceived).toBeLessThan(50_000_000);
    expect(digestOf(await readFile(join(cwd, "weights/large.bin")))).toBe(digestOf(large));
    expect((await readdir(join(cwd, "weights"))).sort()).toEqual(["deep", "factor.txt", "large.bin"]);
  });

  it("does not trust what an earlier one has left", async () => {
    const cwd = await folderWith({});
    const digest = await largeLayer();
    const left = join(cwd, "weights/.modelship-pull/0-00000000", digest.replace(":", "-"));
    await mkdir(left, { recursive: true });
    await writeFile(join(left, "0"), Buffer.alloc(30_000_000, 7));
    const said = await pull(pushed, cwd);
    expect(said.code, said.stderr).toBe(0);
    // What is missing first, and then, as the whole turns out wrong, all of it.
    expect(JSON.parse(said.stdout).bytesReceived).toBeGreaterThan(100_000_000);
    expect(digestOf(await readFile(join(cwd, "weights/large.bin")))).toBe(digestOf(large));
    expect((await readdir(join(cwd, "weights"))).sort()).toEqual(["deep", "factor.txt", "large.bin"]);
  });

  it("brings the same files from every face of the weights", async () => {
    expect(also).toHaveLength(3);
    for (const reference of also) {
      const cwd = await folderWith({});
      const said = await pull(reference, cwd);
      expect(said.code, said.stderr).toBe(0);
      const { files } = JSON.parse(said.stdout);
      expect(files).toContainEqual({ path: "large.bin", size: large.length, digest: digestOf(large) });
      expect(await readFile(join(cwd, "weights/deep/er/small.txt"), "utf8")).toBe("small");
      expect(JSON.parse((await pull(reference, cwd)).stdout)).toMatchObject({ files, bytesReceived: 0 });
    }
  });

  it("goes on where the connection broke", async () => {
    const cwd = await folderWith({});
    let cuts = 3;
    const reference = await between((url, response) => {
      if (!/\/blobs\//.test(url) || cuts === 0) return false;
      cuts--;
      response.destroy();
      return true;
    });
    const said = await pull(reference, cwd);
    expect(said.code, said.stderr).toBe(0);
    expect(cuts).toBe(0);
    expect(digestOf(await readFile(join(cwd, "weights/large.bin")))).toBe(digestOf(large));
  });

  it("gives no file its name when a layer's bytes are others", async () => {
    const cwd = await folderWith({});
    const reference = await between((url, response) => {
      const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(url)?.[1];
      if (digest === undefined || cheap.has(digest)) return false;
      response.writeHead(200, { "content-type": "application/octet-stream" });
      response.end(Buffer.alloc(2000, 1));
      return true;
    });
    const cheap = new Set([(await manifest()).config.digest]);
    const said = await pull(reference, cwd);
    expect(said.code, said.stderr).toBe(1);
    expect(JSON.parse(said.stdout).error.code).toBe("registry_failed");
    expect(await readdir(join(cwd, "weights"))).toEqual([]);
  });

  // Only root can mount a disk that is full.
  it.runIf(userInfo().uid === 0)("says so when the disk is full, and leaves it as it was", async () => {
    const disk = smallDisk("30m");
    onTestFinished(disk.remove);
    const said = await pull(pushed, disk.path);
    expect(said.code, said.stderr).toBe(1);
    expect(JSON.parse(said.stdout).error).toMatchObject({ code: "disk_full", hint: expect.any(String) });
    expect(await readdir(join(disk.path, "weights"))).not.toContain("large.bin");
    expect(await readdir(join(disk.path, "weights"))).not.toContain(".modelship-pull");
  });

  it("interrupted leaves no half file under its name", async () => {
    const cwd = await folderWith({});
    const { reference, half } = await stopsHalfway();
    const said = await modelship(["pull", reference, "--to", "weights"], {
      cwd,
      during: (child) => void half.then(() => child.kill("SIGINT")),
    });
    expect(said.code, said.stderr).toBe(130);
    expect(await readdir(join(cwd, "weights"))).not.toContain("large.bin");
  });

  it("says that an image has no model files, and that there is no such image", async () => {
    const cwd = await folderWith({});
    const missing = await pull(`${registry}/pull/${name}:nothing`, cwd);
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain("does not exist");
    expect((await modelship(["pull", pushed], { cwd })).code).toBe(2);
  });
});

describe("modelship inspect", () => {
  it("shows layers, model files, base and labels from the registry alone", async () => {
    const cwd = await folderWith({});
    const env = { DOCKER_HOST: "unix:///nowhere.sock" };
    const said = await modelship(["inspect", pushed, "--json"], { cwd, env });
    expect(said.code, said.stderr).toBe(0);
    const found = JSON.parse(said.stdout);
    expect(found).toMatchObject({ reference: pushed, user: "10001:10001", platforms: [found.platform] });
    expect(found.layers.filter((layer: { weights: boolean }) => layer.weights)).toHaveLength(2);
    expect(found.weightsSize).toBeGreaterThan(70_000_000);
    expect(found.weights).toContainEqual(
      expect.objectContaining({ path: "/app/model/large.bin", digest: null, layer: await largeLayer() }),
    );
    expect(found.labels["dev.modelship.weights"]).toBe("baked");
    const kinds = found.attached.map((one: { kind: string }) => one.kind).sort();
    expect(kinds).toEqual(["provenance", "sbom"]);
    const text = (await modelship(["inspect", pushed], { cwd, env })).stdout;
    expect(text).toMatch(/^MODEL FILE/m);
    expect(text).toContain("/app/model/large.bin");
    expect(text).toMatch(/^Attached +SBOM, provenance$/m);
    expect(text).toMatch(/ plain +modelship weights /);
  });
});

type ImageManifest = { config: { digest: string }; layers: { digest: string; size: number }[] };

async function manifest(): Promise<ImageManifest> {
  const answer = await fetch(`http://${registry}/v2/pull/${name}/manifests/1.0.0`, {
    headers: {
      accept:
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json",
    },
  });
  return (await answer.json()) as ImageManifest;
}

async function largeLayer(): Promise<string> {
  const { layers } = await manifest();
  return layers.findLast(({ size }) => size > large.length)?.digest ?? "";
}
