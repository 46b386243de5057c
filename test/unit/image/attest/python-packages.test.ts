import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { installedOver, readRequirementsText } from "../../../../src/image/attest/python-packages.js";
import { readUvLock } from "../../../../src/image/attest/uv-lock.js";
import { packagePath } from "../../../../src/package.js";

const hash = (mark: string) => `sha256:${mark.repeat(64)}`;
const texts = (files: Record<string, string>) => new Map(Object.entries(files));

describe("requirements", () => {
  it("are read with versions, hashes and conditions, over continued lines", () => {
    const text = `
# a comment
Foo_Bar[extra]==1.2 \\
    --hash=${hash("b").replace("sha256:", "sha256:")} \\
    --hash=${hash("a")}
baz>=2,<3  # not pinned
win-only==3.0 ; sys_platform == "win32"
wild==1.*
--index-url https://user:canary@index.example/simple
`;
    expect(readRequirementsText("requirements.txt", texts({ "requirements.txt": text }))).toEqual([
      { name: "foo-bar", version: "1.2", hashes: [hash("a"), hash("b")] },
      { name: "baz", hashes: [] },
      { name: "win-only", version: "3.0", hashes: [], marker: 'sys_platform == "win32"' },
      { name: "wild", hashes: [] },
    ]);
  });

  it("say nothing of addresses and files, which may hold a password", () => {
    const text = `
pkg @ https://user:canary@git.example/pkg.zip
git+https://user:canary@git.example/other
./local/thing
vendored/x-1.0-py3-none-any.whl
`;
    const found = readRequirementsText("r.txt", texts({ "r.txt": text }));
    expect(JSON.stringify(found)).not.toContain("canary");
    expect(found).toEqual([{ name: "pkg", hashes: [] }]);
  });

  it("lead on to other files, once and relative to where they are named", () => {
    const found = readRequirementsText(
      "deps/all.txt",
      texts({ "deps/all.txt": "-r ../base.txt\nb==1\n", "base.txt": "-r deps/all.txt\n-c pins.txt\na==1\n" }),
    );
    expect(found.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("of the service itself are pinned, every one", () => {
    const text = readFileSync(packagePath("templates/service/python/requirements.txt"), "utf8");
    const found = readRequirementsText("requirements.txt", texts({ "requirements.txt": text }));
    expect(found.length).toBeGreaterThan(5);
    for (const one of found) {
      expect(one.version, one.name).toBeDefined();
      expect(one.hashes.length, one.name).toBeGreaterThan(0);
    }
  });

  it("of the project count where both name a package", () => {
    const service = [
      { name: "numpy", version: "1.0", hashes: [] },
      { name: "uvicorn", version: "1.0", hashes: [] },
    ];
    const project = [{ name: "numpy", version: "2.0", hashes: [] }];
    expect(installedOver(service, project).map(({ name, version }) => `${name} ${version}`)).toEqual([
      "numpy 2.0",
      "uvicorn 1.0",
    ]);
  });
});

describe("a lock that uv wrote", () => {
  const lock = readFileSync(new URL("fixtures/uv.lock", import.meta.url), "utf8");
  const found = readUvLock(lock);

  // What `uv export --frozen --no-dev --no-emit-project` gives for it.
  it("gives what uv installs: no development groups, no extras that nobody asks for", () => {
    expect(found.map(({ name, version }) => `${name}==${version}`).sort()).toEqual([
      "anyio==4.16.0",
      "certifi==2026.10.19.post1",
      "colorama==0.4.6",
      "h11==0.16.0",
      "h2==4.4.1",
      "hpack==4.2.0",
      "httpcore==1.0.9",
      "httpx==0.28.1",
      "hyperframe==6.1.0",
      "idna==3.20",
      "numpy==2.4.6",
      "numpy==2.5.5",
      "typing-extensions==4.16.0",
    ]);
  });

  it("has the files of each package by their hashes, and the conditions", () => {
    for (const { name, hashes } of found) expect(hashes.length, name).toBeGreaterThan(0);
    const markers = Object.fromEntries(found.map((one) => [`${one.name} ${one.version}`, one.marker]));
    expect(markers).toMatchObject({
      "colorama 0.4.6": "sys_platform == 'win32'",
      "numpy 2.4.6": "python_full_version < '3.12'",
      "httpx 0.28.1": undefined,
    });
  });

  it("that is empty or none has no packages", () => {
    expect(readUvLock("")).toEqual([]);
    expect(readUvLock("[[package]]\n[[package]]\nname = 5\n")).toEqual([]);
  });
});
