import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { credentialSource } from "../../../src/docker/auth/lookup.js";
import { UserError } from "../../../src/errors.js";
import { answering, auth, type Home, makeHome } from "./fixture.js";

const canary = "canary-51c0";
let home: Home;
beforeEach(async () => {
  home = await makeHome();
});
afterEach(() => home.remove());

function find(registry: string, env: NodeJS.ProcessEnv = {}) {
  return credentialSource({ ...home.env, ...env }, home.path)(registry);
}

const login = (username: string, password = "p") => ({ kind: "basic", username, password });

async function failure(registry: string, env?: NodeJS.ProcessEnv): Promise<UserError> {
  const error = await find(registry, env).catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error(`no UserError: ${JSON.stringify(error)}`);
  expect([error.stack, error.why, error.hint, String(error.cause)].join("\n")).not.toContain(canary);
  return error;
}

describe("the order of places", () => {
  it("is DOCKER_AUTH_CONFIG, Docker's file, REGISTRY_AUTH_FILE, Podman's files", async () => {
    const auths = (name: string) => ({ auths: { "r.example": auth(name, "p") } });
    const XDG_RUNTIME_DIR = `${home.path}/run`;
    const REGISTRY_AUTH_FILE = await home.write("given.json", auths("given"));
    await home.write(".config/containers/auth.json", auths("podman"));
    expect(await find("r.example")).toEqual(login("podman"));
    await home.write("run/containers/auth.json", auths("runtime"));
    expect(await find("r.example", { XDG_RUNTIME_DIR })).toEqual(login("runtime"));
    expect(await find("r.example", { XDG_RUNTIME_DIR, REGISTRY_AUTH_FILE })).toEqual(login("given"));
    await home.write(".docker/config.json", auths("docker"));
    expect(await find("r.example", { XDG_RUNTIME_DIR, REGISTRY_AUTH_FILE })).toEqual(login("docker"));
    await home.write("other/config.json", auths("other"));
    const DOCKER_CONFIG = `${home.path}/other`;
    expect(await find("r.example", { DOCKER_CONFIG, REGISTRY_AUTH_FILE })).toEqual(login("other"));
    const DOCKER_AUTH_CONFIG = JSON.stringify(auths("inline"));
    expect(await find("r.example", { DOCKER_CONFIG, DOCKER_AUTH_CONFIG })).toEqual(login("inline"));
    expect(await find("elsewhere.example", { DOCKER_CONFIG, DOCKER_AUTH_CONFIG })).toBeUndefined();
  });

  it("within a file is the registry's helper, the helper for all, the entry", async () => {
    await home.helper("one", answering("one", "p"));
    await home.helper("all", answering("all", "p"));
    await home.write(".docker/config.json", {
      auths: { "r.example": auth("entry", "p"), "free.example": auth("entry", "p") },
      credHelpers: { "r.example": "one", "free.example": "" },
      credsStore: "all",
    });
    expect(await find("r.example")).toEqual(login("one"));
    expect(await find("s.example")).toEqual(login("all"));
    expect(await find("free.example")).toEqual(login("entry"));
  });
});

describe("entries", () => {
  it.each([
    ["ghcr.io", "ghcr.io"],
    ["https://ghcr.io", "ghcr.io"],
    ["https://ghcr.io/v2/", "ghcr.io"],
    ["http://localhost:5000/", "localhost:5000"],
    ["quay.io/team", "quay.io"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["https://index.docker.io/v1/", "registry-1.docker.io"],
  ])("under %s count for %s", async (key, registry) => {
    await home.write(".docker/config.json", { auths: { [key]: auth("ada", "p") } });
    expect(await find(registry)).toEqual(login("ada"));
    expect(await find("ghcr.io.evil.example")).toBeUndefined();
  });

  it("of the exact key come before those of a path", async () => {
    await home.write(".docker/config.json", {
      auths: {
        "quay.io/team": auth("team", "p"),
        "https://quay.io": auth("scheme", "p"),
        "quay.io": auth("ada", "p"),
      },
    });
    expect(await find("quay.io")).toEqual(login("ada"));
  });

  it("keep colons and other letters in passwords", async () => {
    await home.write(".docker/config.json", { auths: { "r.example": auth("ada", "a:b:ç") } });
    expect(await find("r.example")).toEqual(login("ada", "a:b:ç"));
  });

  it.each([
    [
      { ...auth("00000000", ""), identitytoken: "id" },
      { kind: "identity", token: "id" },
    ],
    [{ registrytoken: "rt" }, { kind: "registry", token: "rt" }],
    [auth("<token>", "id"), { kind: "identity", token: "id" }],
    [
      { username: "ada", password: "p" },
      { kind: "basic", username: "ada", password: "p" },
    ],
    [{}, undefined],
    [{ auth: "" }, undefined],
    [{ email: "a@b" }, undefined],
  ])("%j is %j", async (entry, expected) => {
    await home.write(".docker/config.json", { auths: { "r.example": entry } });
    expect(await find("r.example")).toEqual(expected);
  });

  it("that cannot be read are an error that names the registry and the file", async () => {
    await home.write(".docker/config.json", {
      auths: { "r.example": { auth: Buffer.from(canary).toString("base64") } },
    });
    const error = await failure("r.example");
    expect(error.exitCode).toBe(4);
    expect(error.message).toMatch(/r\.example in .*config\.json/);
  });

  it("an empty file and no file at all hold none", async () => {
    expect(await find("r.example")).toBeUndefined();
    await home.write(".docker/config.json", "");
    expect(await find("r.example")).toBeUndefined();
  });

  it.each([`{"auths": {"r.example": {"auth": "${canary}" `, `["${canary}"]`, `{"auths": ["${canary}"]}`])(
    "a broken file is an error without its content: %s",
    async (text) => {
      await home.write(".docker/config.json", text);
      expect((await failure("r.example")).message).toContain("config.json");
      expect((await failure("r.example", { DOCKER_AUTH_CONFIG: text })).message).toContain(
        "DOCKER_AUTH_CONFIG",
      );
    },
  );
});

describe("helpers", () => {
  const configured = { credsStore: "fake", auths: { "r.example": {} } };

  it("are asked with the registry's key; <token> is an identity token", async () => {
    await home.write(".docker/config.json", configured);
    await home.helper("fake", `read -r server; printf '{"Username":"%s","Secret":"p"}' "$server"`);
    expect(await find("docker.io")).toEqual(login("https://index.docker.io/v1/"));
    await home.helper("fake", answering("<token>", "id"));
    expect(await find("r.example")).toEqual({ kind: "identity", token: "id" });
  });

  it("that have nothing leave it to the entry, and to the next file", async () => {
    await home.helper("fake");
    await home.write(".docker/config.json", configured);
    expect(await find("r.example")).toBeUndefined();
    await home.write(".config/containers/auth.json", { auths: { "r.example": auth("podman", "p") } });
    expect(await find("r.example")).toEqual(login("podman"));
  });

  it("that are missing are named, with what to do", async () => {
    await home.write(".docker/config.json", configured);
    const error = await failure("r.example");
    expect(error.code).toBe("credential_helper");
    expect(error.exitCode).toBe(4);
    expect(error.message).toContain("docker-credential-fake is not on the PATH");
    expect(error.hint).toMatch(/credsStore/);
  });

  it("that fail are not taken for empty ones", async () => {
    await home.write(".docker/config.json", configured);
    await home.helper("fake", `echo "keychain is locked" >&2; exit 1`);
    const error = await failure("r.example");
    expect(error.code).toBe("credential_helper");
    expect(error.why).toContain("keychain is locked");
  });

  it.each([
    `echo '{"Username":"ada","Secret":"${canary}"}'; exit 1`,
    `echo '{"Secret":"${canary}"}'`,
    `echo '${canary}'`,
  ])("that answer nonsense are an error without the answer: %s", async (script) => {
    await home.write(".docker/config.json", configured);
    await home.helper("fake", script);
    expect((await failure("r.example")).code).toBe("credential_helper");
  });

  it("are never a path", async () => {
    await home.write(".docker/config.json", { credsStore: "x/../../evil" });
    expect((await failure("r.example")).message).toContain("not the name of a credential helper");
  });
});
