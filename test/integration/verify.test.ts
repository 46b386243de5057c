import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

const registry = process.env.MODELSHIP_TEST_REGISTRY ?? "";
/** A pair that cosign made; its password is no secret. */
const keys = fileURLToPath(new URL("../unit/image/attest/fixtures/cosign", import.meta.url));
const privateKey = join(keys, "cosign.key");
const publicKey = join(keys, "cosign.pub");

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

interface Check {
  name: string;
  status: string;
  message: string;
  details?: string[];
}

describe("an image in a real registry", () => {
  it("is pushed, signed and verified, and fails once the project has changed", async () => {
    const { name, root } = await smallProject();
    cleanImagesOf(engine, name);
    const config = await mkdtemp(join(tmpdir(), "modelship-test-config-"));
    const command = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      modelship(args, { cwd: root, env: { DOCKER_CONFIG: config, COSIGN_PASSWORD: undefined, ...env } });
    const verify = async (args: readonly string[] = []) => {
      const said = await command(["verify", reference, ...args, "--json"]);
      const { checks, ok } = JSON.parse(said.stdout) as { checks: Check[]; ok: boolean };
      return { code: said.code, ok, checks: new Map(checks.map((check) => [check.name, check])) };
    };

    const pushed = await command(["push", `${registry}/v/${name}:1`, ...networkFlags, "--json"]);
    expect(pushed.code, pushed.stderr).toBe(0);
    const { reference } = JSON.parse(pushed.stdout) as { reference: string };

    const unsigned = await verify(["--key", publicKey]);
    expect(unsigned).toMatchObject({ code: 1, ok: false });
    expect(unsigned.checks.get("signature")?.status).toBe("failed");

    const closed = await command(["sign", reference, "--key", privateKey]);
    expect(closed.code, closed.stderr).toBe(4);
    expect(closed.stderr).toContain("COSIGN_PASSWORD");

    const password = { COSIGN_PASSWORD: "canary-pass" };
    const signed = await command(["sign", reference, "--key", privateKey], password);
    expect(signed.code, signed.stderr).toBe(0);
    expect(signed.stdout).toBe(`${reference}\n`);
    const again = await command(["sign", reference, "--key", privateKey, "--json"], password);
    expect(JSON.parse(again.stdout)).toMatchObject({ reference, sent: false });
    expect(signed.stderr + again.stderr).not.toContain("canary-pass");

    const good = await verify(["--key", publicKey, "--deep"]);
    expect([...good.checks.values()].filter(({ status }) => status === "failed")).toEqual([]);
    expect(good).toMatchObject({ code: 0, ok: true });

    await writeFile(join(root, "model/factor.txt"), "3\n");
    await writeFile(join(root, "extra.py"), "");
    const changed = await verify();
    expect(changed).toMatchObject({ code: 1, ok: false });
    expect(changed.checks.get("weights")?.details).toEqual(["/app/model/factor.txt differs"]);
    expect(changed.checks.get("code")?.details).toEqual(["app/extra.py is not in the image"]);
    expect((await verify(["--image-only"])).code).toBe(0);
  });

  it("that is not there, and a key that is none, are errors and no verdict", async () => {
    const { root } = await smallProject();
    const absent = await modelship(["verify", `${registry}/v/absent:1`, "--image-only", "--json"], {
      cwd: root,
    });
    expect(absent.code).toBe(1);
    expect(JSON.parse(absent.stdout).error.code).toBe("registry_failed");
    const noKey = await modelship(["verify", `${registry}/v/absent:1`, "--key", "modelship.yaml"], {
      cwd: root,
    });
    expect(noKey.code).toBe(2);
    expect(noKey.stderr).toContain("holds no key");
  });
});
