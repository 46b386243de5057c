import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request as forward, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { inspectImage } from "../../src/docker/images.js";
import { modelship } from "../setup/cli.js";
import { networkFlags, removeImagesOf, testEngine } from "../setup/engine.js";
import { keptFolder } from "../setup/folder.js";
import { smallProject, type TestProject } from "../setup/project.js";

const open = process.env.MODELSHIP_TEST_REGISTRY ?? "";
const locked = process.env.MODELSHIP_TEST_AUTH_REGISTRY ?? "";
const user = process.env.MODELSHIP_TEST_AUTH_USER ?? "";
const password = process.env.MODELSHIP_TEST_AUTH_PASSWORD ?? "";

let engine: Engine;
/** Built once: each test pushes it somewhere else. */
let project: TestProject;
beforeAll(async () => {
  engine = await testEngine();
  project = await smallProject({}, keptFolder);
  expect((await modelship(["build", ...networkFlags], { cwd: project.root })).code).toBe(0);
});
afterAll(async () => {
  await removeImagesOf(engine, project.name);
  await rm(project.root, { recursive: true });
});

async function builtProject() {
  const { name, root } = project;
  const config = await mkdtemp(join(tmpdir(), "modelship-test-config-"));
  const command = (args: readonly string[], more: Partial<Parameters<typeof modelship>[1]> = {}) =>
    modelship(args, { cwd: root, ...more, env: { DOCKER_CONFIG: config, ...more.env } });
  const push = (args: readonly string[], more: Partial<Parameters<typeof modelship>[1]> = {}) =>
    command(["push", ...networkFlags, ...args], more);
  return { name, config, command, push };
}

/** A registry stand-in on loopback that answers in one way. */
async function standIn(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("modelship push", () => {
  it("takes several names in one call and reads each digest back", async () => {
    const { name, push } = await builtProject();
    const said = await push([`${open}/a/${name}:1`, `${open}/b/${name}`, "--json"]);
    expect(said.code, said.stderr).toBe(0);
    const { reference, digest, pushed } = JSON.parse(said.stdout);
    expect(reference).toBe(`${open}/a/${name}@${digest}`);
    expect(pushed.map((one: { reference: string }) => one.reference)).toEqual([
      `${open}/a/${name}:1`,
      `${open}/b/${name}:1.0.0`,
    ]);
    const answer = await fetch(`http://${open}/v2/b/${name}/manifests/1.0.0`, {
      method: "HEAD",
      headers: {
        accept:
          "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
      },
    });
    expect(answer.headers.get("docker-content-digest")).toBe(pushed[1].digest);
  });

  it("asks for a login, takes it from stdin, and forgets it again", async () => {
    const { name, config, command, push } = await builtProject();
    const target = `${locked}/you/${name}:1`;
    const refused = await push([target]);
    expect(refused.code, refused.stderr).toBe(4);
    expect(refused.stderr).toContain(`modelship login ${locked}`);
    expect(await inspectImage(engine, target)).toBeUndefined();

    const wrong = await command(["login", locked, "-u", user, "--password-stdin"], {
      input: "canary-wrong\n",
    });
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).not.toContain("canary-wrong");

    const right = await command(["login", locked, "-u", user, "--password-stdin"], {
      input: `${password}\n`,
    });
    expect(right.code, right.stderr).toBe(0);
    expect(right.stderr + right.stdout).not.toContain(password);
    const pushed = await push([target]);
    expect(pushed.code, pushed.stderr).toBe(0);
    expect(pushed.stdout).toMatch(/@sha256:[0-9a-f]{64}\n$/);

    expect((await command(["logout", locked])).code).toBe(0);
    expect(await readFile(join(config, "config.json"), "utf8")).not.toContain(locked);
    expect((await push([target])).code).toBe(4);
  });

  it("wants a place to push to, and no digest", async () => {
    const { push } = await builtProject();
    expect((await push([])).stderr).toContain("image.repository");
    const digest = `${open}/x@sha256:${"0".repeat(64)}`;
    expect(await push([digest])).toMatchObject({ code: 2, stdout: "" });
  });

  it("does not push an image that is not ours", async () => {
    const { push } = await builtProject();
    const said = await push([
      "--image",
      process.env.MODELSHIP_IMAGE_BASE ?? "python:3.12-slim-bookworm",
      `${open}/x/y:1`,
    ]);
    expect(said.code).toBe(1);
    expect(said.stderr).toMatch(/not built by modelship/);
  });

  it("a registry that denies ends it with 4, and the tag is taken back", async () => {
    const { name, push } = await builtProject();
    const host = await standIn((request, response) => {
      if (request.url === "/v2/") return response.end("{}");
      response.writeHead(403, { "content-type": "application/json" });
      return response.end(JSON.stringify({ errors: [{ code: "DENIED", message: "the stand-in says no" }] }));
    });
    const target = `${host}/you/${name}:1`;
    const said = await push([target]);
    expect(said.code, said.stderr).toBe(4);
    expect(said.stdout).toBe("");
    expect(await inspectImage(engine, target)).toBeUndefined();
  });

  it.each([
    [404, "MANIFEST_UNKNOWN"],
    [500, "UNKNOWN"],
  ])("a registry that answers %i when the digest is read back ends it", async (status, code) => {
    const { name, push } = await builtProject();
    // Everything but the reading back reaches the real registry.
    const host = await standIn((request, response) => {
      if (request.method !== "PUT" && /\/manifests\//.test(request.url ?? "")) {
        response.writeHead(status, { "content-type": "application/json" });
        return response.end(JSON.stringify({ errors: [{ code, message: "the stand-in says no" }] }));
      }
      const onward = forward(
        {
          host: "127.0.0.1",
          port: open.split(":")[1],
          method: request.method,
          path: request.url,
          headers: request.headers,
        },
        (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
      );
      return request.pipe(onward);
    });
    const target = `${host}/you/${name}:1`;
    const said = await push([target]);
    expect(said.code, said.stderr).toBe(1);
    expect(said.stdout).toBe("");
    expect(said.stderr).toMatch(new RegExp(`${host}|${status}`));
    expect(await inspectImage(engine, target)).toBeUndefined();
  });

  it("a registry that is not there ends it", async () => {
    const { name, push } = await builtProject();
    const said = await push([`127.0.0.1:9/you/${name}:1`]);
    expect(said.code, said.stderr).toBe(1);
    expect(said.stderr).toContain("127.0.0.1:9");
  });

  it("Ctrl-C ends it with 130 and takes the tag back", async () => {
    const { name, push } = await builtProject();
    const host = await standIn((request, response) => {
      if (request.url === "/v2/") response.end("{}"); // every other request hangs
    });
    const target = `${host}/you/${name}:1`;
    const said = await push([target], {
      during: (child) => setTimeout(() => child.kill("SIGINT"), 2500),
    });
    expect(said.code, said.stderr).toBe(130);
    expect(await inspectImage(engine, target)).toBeUndefined();
  });
});
