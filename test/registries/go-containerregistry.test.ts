import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { heavyProject } from "../integration/heavy-project.js";
import { modelship } from "../setup/cli.js";
import { testEngine } from "../setup/engine.js";
import { folderWith } from "../setup/folder.js";

const crane = process.env.MODELSHIP_TEST_CRANE ?? "crane";

let engine: Engine;
let home: string;
let registry: string;
let stop: () => void;
beforeAll(async () => {
  engine = await testEngine();
  home = await mkdtemp(join(tmpdir(), "modelship-test-registry-"));
  registry = `127.0.0.1:${await freePort()}`;
  const args = ["registry", "serve", "--address", registry, "--disk", home];
  const server = spawn(crane, args, { stdio: "ignore" });
  stop = () => server.kill();
  await vi.waitFor(() => fetch(`http://${registry}/v2/`), { timeout: 10_000 });
});
afterAll(async () => {
  stop();
  await rm(home, { recursive: true, force: true });
});

describe("go-containerregistry's registry", () => {
  it("gets an image that crane finds valid and skopeo reads, sends nothing twice, and gives it back", async () => {
    const project = await heavyProject(engine, home, 150_000_000, registry);
    const first = await project.succeeds("gcr");
    expect(first.bytesSent).toBeGreaterThan(150_000_000);
    const name = `${registry}/gcr/${project.name}@${first.digest}`;
    execFileSync(crane, ["validate", "--insecure", "--fast", "--remote", name]);
    const seen = execFileSync("skopeo", ["inspect", "--tls-verify=false", `docker://${name}`]);
    expect(JSON.parse(seen.toString())).toMatchObject({
      Digest: first.digest,
      Architecture: expect.any(String),
    });

    expect(await project.succeeds("gcr")).toMatchObject({ digest: first.digest, bytesSent: 0 });
    const verified = await modelship(["verify", name, "--deep"], { cwd: project.root });
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const to = await folderWith({});
    const pulled = await modelship(["pull", name, "--to", to], { cwd: to });
    expect(pulled.code, pulled.stderr).toBe(0);
    expect(await digestOf(join(to, "weights.bin"))).toBe(await digestOf(project.weights));
    expect((await readFile(join(to, "factor.txt"), "utf8")).trim()).toBe("2");
  });

  it("gets the rest after a kill, and the image is the same", async () => {
    const project = await heavyProject(engine, home, 300_000_000, registry);
    const whole = await project.succeeds("whole");
    for (const wait of [300, 600, 900, 1200]) {
      await project.push("killed", { during: (child) => setTimeout(() => child.kill("SIGKILL"), wait) });
    }
    expect((await project.succeeds("killed")).digest).toBe(whole.digest);
  });
});

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
