import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readInstallSettings } from "../../../src/image/install-settings.js";
import { parseSecret, secretReaders } from "../../../src/image/secrets.js";
import { folderWith } from "../../setup/folder.js";

const certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

function read(env: NodeJS.ProcessEnv, more: { caCerts?: string; indexUrl?: string; root?: string } = {}) {
  return readInstallSettings({
    root: more.root ?? "/",
    env,
    caCerts: more.caCerts ?? null,
    indexUrl: more.indexUrl,
    hostNetwork: false,
  });
}

describe("what dependency installs are told", () => {
  it("is nothing on a plain machine", async () => {
    expect(await read({})).toEqual({ exports: undefined, ca: undefined, notes: [], warnings: [] });
  });

  it("carries credentials of an index, and never says them", async () => {
    const settings = await read({}, { indexUrl: "https://user:canary@pypi.example/simple" });
    expect(settings.exports?.toString()).toBe(
      "export PIP_INDEX_URL='https://user:canary@pypi.example/simple'\n",
    );
    expect(settings.notes).toEqual(["Packages come from pypi.example (--index-url)"]);
  });

  it("cannot be broken out of by a quote", async () => {
    const settings = await read({ PIP_INDEX_URL: "https://x/'; touch /pwned; '" });
    expect(settings.exports?.toString()).toBe(
      `export PIP_INDEX_URL='https://x/'\\''; touch /pwned; '\\'''\n`,
    );
  });

  it("joins a private CA with the public roots, and leaves a whole bundle alone", async () => {
    const root = await folderWith({ "one.pem": certificate, "all.pem": certificate.repeat(150) });
    const one = await read({}, { root, caCerts: "one.pem" });
    expect((one.ca?.toString().match(/BEGIN CERTIFICATE/g) ?? []).length).toBeGreaterThan(100);
    const all = await read({ SSL_CERT_FILE: join(root, "all.pem") });
    expect((all.ca?.toString().match(/BEGIN CERTIFICATE/g) ?? []).length).toBe(150);
    expect(all.notes).toEqual([
      `Dependency installs trust the CA bundle ${join(root, "all.pem")} (SSL_CERT_FILE)`,
    ]);
  });

  it("goes on without a bundle that only a variable names", async () => {
    const settings = await read({ PIP_CERT: "/nowhere.pem" });
    expect(settings.ca).toBeUndefined();
    expect(settings.warnings[0]?.message).toContain("PIP_CERT");
  });

  it("warns of a proxy that a container cannot reach", async () => {
    const settings = await read({ https_proxy: "http://u:canary@127.0.0.1:3128" });
    expect(settings.warnings[0]?.message).toContain("127.0.0.1:3128");
    expect(JSON.stringify([settings.notes, settings.warnings])).not.toContain("canary");
    expect(settings.exports?.toString()).toContain("export HTTPS_PROXY='http://u:canary@127.0.0.1:3128'");
  });
});

describe("--secret", () => {
  it("takes a file or a variable", async () => {
    const root = await folderWith({ "token.txt": "t" });
    const specs = [parseSecret("id=a,src=token.txt"), parseSecret("id=b,env=B"), parseSecret("id=C")];
    const readers = secretReaders(specs, root, { B: "2", C: "3" });
    expect(await Promise.all(readers.map(async (one) => (await one.read()).toString()))).toEqual([
      "t",
      "2",
      "3",
    ]);
  });

  it.each(["", "src=x", "id=a b,src=x", "id=a,src=x,env=Y", "id=a,dst=x"])("refuses %j", (text) => {
    expect(() => parseSecret(text)).toThrow("--secret must look like");
  });

  it("says which variable is not set", () => {
    expect(() => secretReaders([parseSecret("id=a,env=NOPE")], "/", {})).toThrow("NOPE is not set");
  });
});
