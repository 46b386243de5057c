import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  candidateEndpoints,
  type EndpointOptions,
  resolveEndpoint,
  socketPath,
} from "../../../src/docker/endpoint.js";
import { UserError } from "../../../src/errors.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "modelship-endpoint-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const nothing = () => false;

function resolve(options: EndpointOptions) {
  return resolveEndpoint({ env: {}, platform: "linux", uid: 1000, home, exists: nothing, ...options });
}

async function refusal(options: EndpointOptions): Promise<UserError> {
  const error = await resolve(options).catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error(`no UserError: ${JSON.stringify(error)}`);
  expect(error.exitCode).toBe(2);
  return error;
}

async function write(path: string, content: string): Promise<void> {
  const file = join(home, ".docker", path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, content);
}

async function addContext(name: string, docker: object, tls: Record<string, string> = {}): Promise<void> {
  const id = createHash("sha256").update(name).digest("hex");
  await write(`contexts/meta/${id}/meta.json`, JSON.stringify({ Name: name, Endpoints: { docker } }));
  for (const [file, content] of Object.entries(tls))
    await write(`contexts/tls/${id}/docker/${file}`, content);
}

describe("who decides", () => {
  beforeEach(async () => {
    for (const name of ["flag", "variable", "current"]) {
      await addContext(name, { Host: `unix:///${name}.sock` });
    }
  });
  const everything = { DOCKER_HOST: "tcp://variable:1", DOCKER_CONTEXT: "variable" };

  it("--host comes first, then --context, DOCKER_HOST, DOCKER_CONTEXT, the current context, the default", async () => {
    await write("config.json", JSON.stringify({ currentContext: "current" }));
    expect(await resolve({ host: "unix:///a.sock", env: everything })).toEqual({
      host: "unix:///a.sock",
      source: "--host",
    });
    expect(await resolve({ context: "flag", env: everything })).toEqual({
      host: "unix:///flag.sock",
      source: 'context "flag"',
    });
    expect(await resolve({ env: everything })).toEqual({ host: "tcp://variable:1", source: "DOCKER_HOST" });
    expect((await resolve({ env: { DOCKER_CONTEXT: "variable" } })).host).toBe("unix:///variable.sock");
    expect((await resolve({})).host).toBe("unix:///current.sock");
    await rm(join(home, ".docker/config.json"));
    expect(await resolve({})).toEqual({ host: "unix:///var/run/docker.sock", source: "the default socket" });
  });

  it('the context "default" stands for DOCKER_HOST or the default socket', async () => {
    await write("config.json", JSON.stringify({ currentContext: "current" }));
    expect((await resolve({ context: "default", env: everything })).host).toBe("tcp://variable:1");
    const always = () => true;
    const chosen = await resolve({ env: { DOCKER_CONTEXT: "default" }, exists: always });
    expect(chosen.host).toBe("unix:///var/run/docker.sock");
  });

  it("reads contexts from DOCKER_CONFIG", async () => {
    const env = { DOCKER_CONFIG: join(home, ".docker"), DOCKER_CONTEXT: "flag" };
    expect((await resolve({ env, home: "/nowhere" })).host).toBe("unix:///flag.sock");
  });

  it("a context that is not there is an error with those that are", async () => {
    const error = await refusal({ context: "flga" });
    expect(error.code).toBe("usage");
    expect(error.message).toContain('"flga"');
    expect(error.why).toContain("--context");
    expect(error.hint).toContain("default, current, flag, variable");
    await write("config.json", JSON.stringify({ currentContext: "gone" }));
    expect((await refusal({})).why).toContain("config.json");
  });

  it("a context without an engine, or with a broken file, is an error", async () => {
    await addContext("empty", {});
    expect((await refusal({ context: "empty" })).message).toMatch(/names no engine/);
    const id = createHash("sha256").update("broken").digest("hex");
    await write(`contexts/meta/${id}/meta.json`, "{");
    expect((await refusal({ context: "broken" })).message).toMatch(/not valid JSON/);
  });

  it("--host and --context together are an error", async () => {
    expect((await refusal({ host: "unix:///a", context: "flag" })).message).toMatch(/--host and --context/);
  });
});

describe("addresses", () => {
  it.each([
    ["unix:///run/a.sock", "unix:///run/a.sock"],
    ["tcp://h:2375", "tcp://h:2375"],
    ["tcp://h", "tcp://h:2375"],
    ["h:1234", "tcp://h:1234"],
    ["http://h:80", "tcp://h:80"],
    ["tcp://[::1]:2375", "tcp://[::1]:2375"],
    ["ssh://ada@h:22", "ssh://ada@h:22"],
    ["npipe:////./pipe/docker_engine", "npipe:////./pipe/docker_engine"],
    [" tcp://h:1/ ", "tcp://h:1"],
  ])("%s is read as %s", async (text, expected) => {
    expect(await resolve({ env: { DOCKER_HOST: text } })).toEqual({ host: expected, source: "DOCKER_HOST" });
  });

  it.each([
    "unix://a.sock",
    "unix://",
    "tcp://",
    "tcp://h:port",
    "tcp://h:99999",
    "ftp://h",
    "fd://",
    "ssh://",
    "tcp://h:1/prefix",
    "a b:1",
  ])("%s is refused by name", async (text) => {
    const error = await refusal({ env: { DOCKER_HOST: text } });
    expect(error.code).toBe("usage");
    expect(error.message).toContain(text);
    expect(error.message).toContain("DOCKER_HOST");
    expect(error.hint).toContain("unix:///");
  });

  it("a password in one is not repeated", async () => {
    const error = await refusal({ env: { DOCKER_HOST: "tcp://ada:canary@h:1" } });
    expect(`${error.message} ${error.why}`).not.toContain("canary");
  });
});

describe("TLS", () => {
  it("comes from DOCKER_CERT_PATH, verified whenever DOCKER_TLS_VERIFY has a value", async () => {
    await write("certs/ca.pem", "CA");
    await write("certs/cert.pem", "CERT");
    await write("certs/key.pem", "KEY");
    const DOCKER_CERT_PATH = join(home, ".docker/certs");
    const env = { DOCKER_HOST: "tcp://h", DOCKER_CERT_PATH, DOCKER_TLS_VERIFY: "yes" };
    expect(await resolve({ env })).toEqual({
      host: "tcp://h:2376",
      source: "DOCKER_HOST",
      tls: { verify: true, ca: Buffer.from("CA"), cert: Buffer.from("CERT"), key: Buffer.from("KEY") },
    });
    expect((await resolve({ env: { ...env, DOCKER_TLS_VERIFY: "" } })).tls?.verify).toBe(false);
    expect((await resolve({ env, host: "unix:///a.sock" })).tls).toBeUndefined();
  });

  it("an https address means TLS", async () => {
    expect(await resolve({ host: "https://h" })).toEqual({
      host: "tcp://h:2376",
      source: "--host",
      tls: { verify: true },
    });
  });

  it("a missing DOCKER_CERT_PATH is an error", async () => {
    const env = { DOCKER_HOST: "tcp://h", DOCKER_CERT_PATH: "/nowhere/certs" };
    expect((await refusal({ env })).message).toContain("/nowhere/certs");
  });

  it("comes with a context, not from the environment", async () => {
    await addContext("far", { Host: "tcp://far:2376", SkipTLSVerify: false }, { "ca.pem": "CA" });
    await addContext("lax", { Host: "tcp://lax:2376", SkipTLSVerify: true });
    await addContext("near", { Host: "unix:///near.sock" });
    const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/nowhere" };
    expect((await resolve({ context: "far", env })).tls).toEqual({ verify: true, ca: Buffer.from("CA") });
    expect((await resolve({ context: "lax", env })).tls).toEqual({ verify: false });
    expect((await resolve({ context: "near", env })).tls).toBeUndefined();
  });
});

describe("when nobody chose", () => {
  it.each([
    ["unix:///run/user/1000/docker.sock", "rootless Docker's socket"],
    ["unix://HOME/.docker/run/docker.sock", "Docker Desktop's socket"],
    ["unix://HOME/.docker/desktop/docker.sock", "Docker Desktop's socket"],
    ["unix://HOME/.colima/default/docker.sock", "Colima's socket"],
    ["unix://HOME/.rd/docker.sock", "Rancher Desktop's socket"],
    ["unix://HOME/.orbstack/run/docker.sock", "OrbStack's socket"],
    ["unix:///run/user/1000/podman/podman.sock", "rootless Podman's socket"],
    ["unix:///run/podman/podman.sock", "Podman's socket"],
  ])("%s is found", async (place, source) => {
    const host = place.replace("HOME", home);
    expect(await resolve({ exists: (path) => path === socketPath(host) })).toEqual({ host, source });
  });

  it("the default socket wins over all others", async () => {
    expect((await resolve({ exists: () => true })).host).toBe("unix:///var/run/docker.sock");
  });

  it("no other place is tried when an engine was configured", async () => {
    const env = { DOCKER_HOST: "unix:///missing.sock" };
    expect((await resolve({ env, exists: (path) => path.includes("podman") })).host).toBe(
      "unix:///missing.sock",
    );
  });

  it("XDG_RUNTIME_DIR and root's Podman come before the guesses", () => {
    const hosts = candidateEndpoints({
      env: { XDG_RUNTIME_DIR: "/xdg" },
      home,
      uid: 0,
      platform: "linux",
    }).map(({ host }) => host);
    expect(hosts.slice(0, 3)).toEqual([
      "unix:///var/run/docker.sock",
      "unix:///xdg/docker.sock",
      "unix:///run/user/0/docker.sock",
    ]);
    expect(hosts.indexOf("unix:///run/podman/podman.sock")).toBeLessThan(
      hosts.indexOf("unix:///xdg/podman/podman.sock"),
    );
    expect(new Set(hosts).size).toBe(hosts.length);
  });

  it("Windows has pipes", async () => {
    expect(await resolve({ platform: "win32" })).toEqual({
      host: "npipe:////./pipe/docker_engine",
      source: "the default pipe",
    });
    const found = await resolve({
      platform: "win32",
      exists: (path) => path === "//./pipe/podman-machine-default",
    });
    expect(found.source).toBe("Podman's pipe");
  });
});
