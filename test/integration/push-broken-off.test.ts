import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { when } from "../setup/cli.js";
import { testEngine } from "../setup/engine.js";
import { heavyProject } from "./heavy-project.js";

let engine: Engine;
let cache: string;
beforeAll(async () => {
  engine = await testEngine();
  cache = await mkdtemp(join(tmpdir(), "modelship-test-cache-"));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

describe("a push that breaks off", () => {
  const kills = 20;

  it(`killed at ${kills} random moments goes on, and ends with what a whole push gives`, async () => {
    const { succeeds, push, manifest } = await heavyProject(engine, cache, 200_000_000);
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
    const { root, push, succeeds } = await heavyProject(engine, cache, 400_000_000);
    await writeFile(join(root, "model/quick.bin"), randomBytes(70_000_000));
    const whole = await succeeds("once");
    await utimes(join(root, "model/quick.bin"), new Date(), new Date());
    const killed = await push("half", {
      during: (child, so) => when(so, "quick.bin: done", () => child.kill("SIGKILL")),
    });
    expect(killed.code).toBeNull();
    const rest = await succeeds("half");
    expect(rest.digest).toBe(whole.digest);
    expect(rest.bytesSent).toBeLessThanOrEqual(whole.bytesSent - 70_000_000);
  });

  it("a file that shrinks while it is sent ends it, with its name and no tag", async () => {
    const { weights, push, manifest } = await heavyProject(engine, cache, 1000);
    // Long enough to be cut while it is read, however late this process notices that the reading began.
    await truncate(weights, 4_000_000_000);
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
    const { push, succeeds } = await heavyProject(engine, cache, 150_000_000);
    await succeeds("before");
    const both = await Promise.all([push("both"), sleep(100).then(() => push("both"))]);
    for (const said of both) expect(said.code, said.stderr).toBe(0);
    const [one, two] = both.map((said) => JSON.parse(said.stdout).digest);
    expect(two).toBe(one);
  });
});
