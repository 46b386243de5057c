import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { clientOptions, compareVersions, connect } from "../../../src/docker/client.js";
import type { Endpoint } from "../../../src/docker/endpoint.js";
import { sshCommand } from "../../../src/docker/ssh.js";
import { UserError } from "../../../src/errors.js";
import { type FakeEngine, fakeEngine, info, json } from "./fake-engine.js";

const open: FakeEngine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
});

async function fake(answers?: Parameters<typeof fakeEngine>[0]): Promise<FakeEngine> {
  const engine = await fakeEngine(answers);
  open.push(engine);
  return engine;
}

const at = (host: string): Endpoint => ({ host, source: "DOCKER_HOST" });
const bare = { env: {} };

async function failureOf(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe("connect", () => {
  test("asks once what the engine is, and names its API version from then on", async () => {
    const engine = await fake({ "/containers/json": json([]) });
    const connected = await connect(at(engine.host), bare);
    expect(connected.info).toEqual({
      kind: "docker",
      version: "24.0.1",
      apiVersion: "1.43",
      buildkit: true,
      store: "classic",
      platform: "linux/arm64",
      storageDriver: "overlay2",
      dataRoot: "/d",
    });
    await connected.docker.listContainers();
    expect(engine.requests.map(({ url }) => url)).toEqual([
      "/version",
      "/v1.43/info",
      "/v1.43/containers/json",
    ]);
  });

  test("is not led astray by the environment", async () => {
    const engine = await fake();
    for (const host of ["tcp://127.0.0.1:9", "tcp://[not-an-address"]) {
      process.env.DOCKER_HOST = host;
      process.env.DOCKER_CERT_PATH = "/nowhere";
      try {
        expect((await connect(at(engine.host), bare)).info.version).toBe("24.0.1");
        expect(process.env.DOCKER_HOST).toBe(host);
      } finally {
        delete process.env.DOCKER_HOST;
        delete process.env.DOCKER_CERT_PATH;
      }
    }
  });

  test("knows Podman, the containerd store, DOCKER_BUILDKIT=0 and old engines", async () => {
    const podman = await fake({
      "/version": json({ Version: "4.3.1", ApiVersion: "1.41", Components: [{ Name: "Podman Engine" }] }),
    });
    expect((await connect(at(podman.host), bare)).info).toMatchObject({ kind: "podman", buildkit: false });
    const driver = ["driver-type", "io.containerd.snapshotter.v1"];
    const modern = await fake({
      "/version": json({ Version: "29.1.0", ApiVersion: "1.52", MinAPIVersion: "1.44" }),
      "/info": json({ Driver: "overlayfs", DriverStatus: [driver] }),
    });
    const connected = await connect(at(modern.host), { env: { DOCKER_BUILDKIT: "0" } });
    expect(connected.info).toMatchObject({ store: "containerd", buildkit: false });
    expect(modern.requests.at(-1)?.url).toBe("/v1.46/info");
    const old = await fake({ "/version": json({ Version: "1.13", ApiVersion: "1.26" }) });
    expect((await failureOf(connect(at(old.host), bare))).code).toBe("engine_unsupported");
    const middle = await fake({ "/version": json({ Version: "18.06", ApiVersion: "1.38" }) });
    expect((await connect(at(middle.host), bare)).info.buildkit).toBe(false);
  });
});

describe("an engine that cannot be used", () => {
  test("no socket", async () => {
    const error = await failureOf(connect(at("unix:///nowhere/docker.sock"), bare));
    expect(error.code).toBe("engine_unreachable");
    expect(error.exitCode).toBe(3);
    expect(error.message).toContain("/nowhere/docker.sock (from DOCKER_HOST)");
    expect(error.hint).toContain("systemctl start docker");
  });

  test("nothing listens; the name is unknown; the address is none", async () => {
    const refused = await failureOf(connect(at("tcp://127.0.0.1:9"), bare));
    expect(refused.why).toContain("Nothing listens");
    const unknown = await failureOf(connect(at("tcp://engine.invalid:2375"), bare));
    expect(unknown.why).toContain("not known");
    const odd = await failureOf(connect(at("gopher://x"), bare));
    expect(odd.message).toContain("no address");
    expect((await failureOf(connect(at("tcp://[bad"), bare))).code).toBe("engine_unreachable");
  });

  test("it never answers, or is no engine", async () => {
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const host = `tcp://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const late = await failureOf(connect(at(host), { ...bare, timeout: 300 }));
    expect(late.why).toContain("did not answer");
    const aborted = connect(at(host), { ...bare, signal: AbortSignal.timeout(50) });
    expect((await failureOf(aborted)).code).toBe("interrupted");
    silent.close();

    const page = await fake({ "/version": json({ hello: "world" }) });
    expect((await failureOf(connect(at(page.host), bare))).message).toContain("no container engine");
    const broken = await fake({ "/version": json({ message: "boom" }, 500) });
    expect((await failureOf(connect(at(broken.host), bare))).why).toContain("HTTP 500: boom");
  });

  test("it speaks TLS, or does not", async () => {
    const plain = createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as AddressInfo;
    const tls = { verify: true };
    const error = await failureOf(connect({ ...at(`tcp://127.0.0.1:${port}`), tls }, bare));
    expect(error.why).toContain("TLS");
    plain.close();
  });
});

test("options leave nothing to guess", async () => {
  expect(await clientOptions(at("unix:///run/x.sock"))).toMatchObject({
    socketPath: "/run/x.sock",
    host: undefined,
  });
  expect(await clientOptions(at("npipe:////./pipe/docker_engine"))).toMatchObject({
    socketPath: "//./pipe/docker_engine",
  });
  expect(await clientOptions(at("tcp://[::1]:2375"))).toMatchObject({
    host: "::1",
    port: "2375",
    protocol: "http",
  });
  expect(await clientOptions(at("https://h:1234/engine/"))).toMatchObject({
    protocol: "https",
    host: "h",
    port: "1234",
    version: "engine",
  });
  const verified = await clientOptions({ ...at("tcp://h"), tls: { verify: false, ca: Buffer.from("ca") } });
  expect(verified).toMatchObject({ protocol: "https", port: "2376" });
  expect((verified.agent as { options: object }).options).toMatchObject({ rejectUnauthorized: false });
});

test("versions are compared by number", () => {
  expect(compareVersions("1.9", "1.41")).toBeLessThan(0);
  expect(compareVersions("1.41", "1.41")).toBe(0);
  expect(compareVersions("2", "1.99")).toBeGreaterThan(0);
});

describe("ssh", () => {
  test("is asked as the docker CLI asks it", () => {
    expect(sshCommand("ssh://me@example.com:2222").slice(-9)).toEqual([
      ...["-l", "me", "-p", "2222", "--", "example.com", "docker", "system", "dial-stdio"],
    ]);
    expect(sshCommand("ssh://h/run/my.sock").slice(-5)).toEqual([
      ...["docker", "--host", "'unix:///run/my.sock'", "system", "dial-stdio"],
    ]);
    expect(() => sshCommand("ssh://me:pw@h")).toThrow(/password/);
    expect(sshCommand("ssh://-oProxyCommand=x")).toContain("--");
  });

  test.skipIf(process.platform === "win32")("carries requests, and its failures are told", async () => {
    const engine = await fake({ "/info": info });
    const folder = await mkdtemp(join(tmpdir(), "modelship-ssh-"));
    const program = join(folder, "ssh");
    const path = { PATH: `${folder}${delimiter}${process.env.PATH}` };
    const relay = `#!/usr/bin/env node
const socket = require("node:net").connect(${JSON.stringify(engine.host.slice(7))});
process.stdin.pipe(socket).pipe(process.stdout);
`;
    await writeFile(program, relay);
    await chmod(program, 0o755);
    const connected = await connect({ host: "ssh://me@far.example", source: 'context "far"' }, { env: path });
    expect(connected.info.version).toBe("24.0.1");

    await writeFile(
      program,
      "#!/bin/sh\necho 'me@far.example: Permission denied (publickey).' >&2\nexit 255\n",
    );
    const refused = await failureOf(connect(at("ssh://me@far.example"), { env: path }));
    expect(refused.code).toBe("engine_unreachable");
    expect(refused.why).toContain("Permission denied (publickey)");
    expect(refused.hint).toContain("ssh-agent");
    const absent = await failureOf(connect(at("ssh://me@far.example"), { env: { PATH: "/nowhere" } }));
    expect(absent.why).toContain("ssh is not on the PATH");
    await rm(folder, { recursive: true });
  });
});
