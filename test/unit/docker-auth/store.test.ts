import { chmod, lstat, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { credentialSource } from "../../../src/docker/auth/lookup.js";
import { eraseCredential, storeCredential } from "../../../src/docker/auth/store.js";
import { UserError } from "../../../src/errors.js";
import { auth, type Home, makeHome } from "./fixture.js";

const canary = "canary-98ab";
const credential = { username: "ada", password: canary };
let home: Home;
beforeEach(async () => {
  home = await makeHome();
});
afterEach(() => home.remove());

const store = (registry: string) =>
  storeCredential(registry, credential, { env: home.env, home: home.path, platform: "linux" });
const erase = (registry: string) => eraseCredential(registry, { env: home.env, home: home.path });
const find = (registry: string) => credentialSource(home.env, home.path)(registry);
const found = { kind: "basic", ...credential };
const config = ".docker/config.json";

describe("storeCredential", () => {
  it("makes a file that only its owner reads", async () => {
    const path = join(home.path, config);
    expect(await store("r.example:5000")).toBe(path);
    expect(JSON.parse(await home.read(config))).toEqual({ auths: { "r.example:5000": auth("ada", canary) } });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await find("r.example:5000")).toEqual(found);
  });

  it("uses Docker Hub's key", async () => {
    await store("docker.io");
    expect(Object.keys(JSON.parse(await home.read(config)).auths)).toEqual(["https://index.docker.io/v1/"]);
  });

  it("keeps everything else, and the file's form", async () => {
    await home.write(
      config,
      '{\n   "psFormat": "table",\n   "auths": {\n      "old.example": {\n         "auth": "b2xkOm9sZA=="\n      }\n   },\n   "proxies": {"default": {}}\n}\n',
    );
    await chmod(join(home.path, config), 0o644);
    await store("r.example");
    const text = await home.read(config);
    expect(text).toMatch(/^\{\n {3}"psFormat": "table",\n {3}"auths"/);
    expect(text.endsWith("}\n")).toBe(true);
    expect(JSON.parse(text)).toMatchObject({
      psFormat: "table",
      auths: { "old.example": { auth: "b2xkOm9sZA==" }, "r.example": auth("ada", canary) },
      proxies: { default: {} },
    });
    expect((await stat(join(home.path, config))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(home.path, ".docker"))).toEqual(["config.json"]);
  });

  it.each([true, false])("follows a link (to a file that is there: %s)", async (there) => {
    await mkdir(join(home.path, ".docker"));
    await mkdir(join(home.path, "dotfiles"));
    if (there) await home.write("dotfiles/docker.json", { psFormat: "x" });
    await symlink("../dotfiles/docker.json", join(home.path, config));
    await store("r.example");
    expect((await lstat(join(home.path, config))).isSymbolicLink()).toBe(true);
    expect(JSON.parse(await home.read("dotfiles/docker.json")).auths["r.example"]).toEqual(
      auth("ada", canary),
    );
  });

  it("gives the secret to the configured helper, and leaves only a mark", async () => {
    await home.helper("all");
    await home.helper("one");
    await home.write(config, { credsStore: "all", credHelpers: { "r.example": "one" } });
    expect(await store("r.example")).toBe("helper one");
    expect(await store("s.example")).toBe("helper all");
    expect(await home.asked()).toEqual(["one store", "all store"]);
    expect(JSON.parse(await home.read("kept-one"))).toEqual({
      ServerURL: "r.example",
      Username: "ada",
      Secret: canary,
    });
    const text = await home.read(config);
    expect(text).not.toContain(canary);
    expect(JSON.parse(text).auths).toEqual({ "r.example": {}, "s.example": {} });
    expect(await find("r.example")).toEqual(found);
  });

  it("takes the system's helper for a first login, as Docker does, if it works", async () => {
    await home.helper("secretservice");
    expect(await store("r.example")).toBe("helper secretservice");
    expect(JSON.parse(await home.read(config))).toEqual({
      auths: { "r.example": {} },
      credsStore: "secretservice",
    });
  });

  it("falls back to the file where the system's helper does not work", async () => {
    await home.helper("secretservice", "echo 'no D-Bus session' >&2; exit 1");
    expect(await store("r.example")).toBe(join(home.path, config));
    expect(JSON.parse(await home.read(config)).credsStore).toBeUndefined();
  });

  it("does not show the secret when a helper fails", async () => {
    await home.helper("all", "cat >&2; echo >&2; echo 'store is locked' >&2; exit 1");
    await home.write(config, { credsStore: "all" });
    const error = await store("r.example").catch((thrown: unknown) => thrown);
    if (!(error instanceof UserError)) throw new Error("no UserError");
    expect(error.why).toContain("store is locked");
    expect([error.stack, error.why, error.hint, String(error.cause)].join("\n")).not.toContain(canary);
  });

  it("leaves a broken file as it is", async () => {
    await home.write(config, "{ not json");
    await expect(store("r.example")).rejects.toThrow(/not valid JSON/);
    expect(await home.read(config)).toBe("{ not json");
  });

  it("explains a place that cannot be written", async () => {
    await home.write(".docker", "a file, not a folder");
    await expect(store("r.example")).rejects.toMatchObject({ code: "file_failed" });
  });
});

describe("eraseCredential", () => {
  it("removes every spelling of the registry from the file", async () => {
    await home.write(config, {
      auths: {
        "https://r.example": auth("a", "b"),
        "r.example": auth("a", "b"),
        "other.example": auth("a", "b"),
      },
    });
    expect(await erase("r.example")).toEqual([join(home.path, config)]);
    expect(JSON.parse(await home.read(config))).toEqual({ auths: { "other.example": auth("a", "b") } });
  });

  it("removes it from the helper and takes the mark away", async () => {
    await home.helper("all");
    await home.write(config, { credsStore: "all" });
    await store("r.example");
    expect(await erase("r.example")).toEqual(["helper all"]);
    expect(await find("r.example")).toBeUndefined();
    expect(JSON.parse(await home.read(config)).auths).toEqual({});
  });

  it("finds nothing where nothing is", async () => {
    expect(await erase("r.example")).toEqual([]);
    await home.write(config, {});
    expect(await erase("r.example")).toEqual([]);
  });
});
