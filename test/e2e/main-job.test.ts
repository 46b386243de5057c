import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeImage } from "../../src/docker/images.js";
import { type CliOptions, run, type Said } from "../setup/cli.js";
import { imagesOf, networkFlags, testEngine } from "../setup/engine.js";

/** The packed tarball, installed as a user installs it, and the five commands typed one after the other. */
const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";
let folder: string;
let tarball: string;
let home: string;

async function npx(args: readonly string[], options: Partial<CliOptions> = {}): Promise<Said> {
  return run("npx", ["--no-install", "modelship", ...args], { cwd: home, ...options });
}

async function succeeds(args: readonly string[], options: Partial<CliOptions> = {}): Promise<Said> {
  const said = await npx(args, options);
  expect(said.code, `${args.join(" ")}\n${said.stdout}\n${said.stderr}`).toBe(0);
  return said;
}

/** So that the engine must fetch the image again. */
async function forget(name: string): Promise<void> {
  const engine = await testEngine();
  for (const image of await imagesOf(engine, name)) await removeImage(engine, image.id, { force: true });
  expect(await imagesOf(engine, name)).toEqual([]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "modelship-e2e-"));
  home = join(folder, "home");
  await mkdir(home);
  const repository = join(import.meta.dirname, "../..");
  const packed = await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: repository });
  expect(packed.code, packed.stderr).toBe(0);
  tarball = join(folder, packed.stdout.trim().split("\n").at(-1) ?? "");
  const installed = await run(
    "npm",
    ["install", "--silent", "--no-audit", "--no-fund", "--prefix", home, tarball],
    { cwd: home },
  );
  expect(installed.code, installed.stderr).toBe(0);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the packed tarball", () => {
  it("is small and holds what users need, and nothing of ours", async () => {
    expect((await stat(tarball)).size).toBeLessThan(2_000_000);
    const root = join(home, "node_modules/modelship");
    const files = await readdir(root, { recursive: true });
    expect(files).toContain("dist/modelship.schema.json");
    expect(files).toContain("templates/service/python/modelship_service/__main__.py");
    expect(files.filter((file) => /(^|\/)(test|tests|scripts|bench|__pycache__)(\/|$)/.test(file))).toEqual(
      [],
    );
    expect(
      JSON.parse(await readFile(join(root, "package.json"), "utf8")).scripts.postinstall,
    ).toBeUndefined();
  });
});

describe.each(["sklearn", "onnx"])("from the %s template to a registry and back", (template) => {
  const name = `e2e-${template}`;
  const project = () => join(home, name);
  const at = () => ({ cwd: project() });
  let digest: string;
  let answer: string;

  afterAll(async () => {
    await npx(["stop", "--all"]);
  });

  it("init writes a project with its trained model", async () => {
    const said = await succeeds(["init", name, "--template", template, "--yes", "--json"]);
    const { dir, files } = JSON.parse(said.stdout);
    expect(dir).toBe(project());
    expect(files).toEqual(
      expect.arrayContaining([
        "model.py",
        "modelship.yaml",
        "requirements.txt",
        "train.py",
        "examples/request.json",
        "test_model.py",
        "README.md",
        ".gitignore",
        ".dockerignore",
      ]),
    );
    expect((await readFile(join(project(), "modelship.yaml"), "utf8")).split("\n")[0]).toMatch(
      /^# yaml-language-server: \$schema=/,
    );
  });

  it("build makes the image, and again in a second", async () => {
    const first = JSON.parse((await succeeds(["build", "--json", ...networkFlags], at())).stdout);
    const second = JSON.parse((await succeeds(["build", "--json", ...networkFlags], at())).stdout);
    expect(second).toMatchObject({ id: first.id, cached: true });
    expect(second.seconds).toBeLessThan(1);
  });

  it("run starts the service, and predict gets the real model's answer", async () => {
    const { url } = JSON.parse(
      (await succeeds(["run", "--detach", "--port", "0", "--json", ...networkFlags], at())).stdout,
    );
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    answer = (await succeeds(["predict", "-i", "@examples/request.json"], at())).stdout;
    expect(JSON.parse(answer)).toBeTypeOf("object");
    const other = await succeeds(["predict", "-i", "-", "--url", url], {
      input: await readFile(join(project(), "examples/request.json"), "utf8"),
    });
    expect(JSON.parse(other.stdout)).toEqual(JSON.parse(answer));
  });

  it("a request that does not fit ends with 5 and the service's own words", async () => {
    const said = await npx(["predict", "-i", '{"rows": [{"nothing": 1}]}'], at());
    expect(said.code).toBe(5);
    expect(said.stderr).toMatch(/rows\[0\]/);
    expect(said.stdout).toBe("");
  });

  it("push prints name@digest alone", async () => {
    const said = await succeeds(["push", `${registry}/you/${name}`, ...networkFlags], at());
    expect(said.stdout).toMatch(new RegExp(`^${registry}/you/${name}@sha256:[0-9a-f]{64}\n$`));
    digest = said.stdout.trim();
    const again = JSON.parse(
      (await succeeds(["push", `${registry}/you/${name}`, "--json", ...networkFlags], at())).stdout,
    );
    expect(again).toMatchObject({ reference: digest, bytesSent: 0 });
    await succeeds(["stop"], at());
  });

  it("what was pushed runs from its digest, anywhere, with the same answer", async () => {
    await forget(name);
    const { url } = JSON.parse(
      (await succeeds(["run", digest, "--detach", "--port", "0", "--json", ...networkFlags])).stdout,
    );
    const said = await succeeds(["predict", "--url", url, "-i", `@${name}/examples/request.json`]);
    expect(JSON.parse(said.stdout)).toEqual(JSON.parse(answer));
    await succeeds(["stop", "--all"]);
    expect((await succeeds(["ps", "--all", "--json"])).stdout).not.toContain(name);
  });
});
