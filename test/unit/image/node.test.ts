import { describe, expect, it } from "vitest";
import { readNpmLock } from "../../../src/image/attest/npm-lock.js";
import { spdxDocument } from "../../../src/image/attest/spdx.js";
import { renderDockerfile } from "../../../src/image/dockerfile.js";
import { nodeStages } from "../../../src/image/node/dockerfile.js";
import { readNodeRequirements } from "../../../src/image/node/requirements.js";
import { loadProject } from "../../../src/project/load.js";
import { folderWith } from "../../setup/folder.js";

const lock = JSON.stringify({ lockfileVersion: 3, packages: {} });
const files = {
  "modelship.yaml": "name: wine\nruntime: node\nmodel:\n  entry: model.ts:Model\n",
  "package.json": "{}",
  "package-lock.json": lock,
};

async function requirements(more: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}) {
  const cwd = await folderWith({ ...files, ...more });
  return readNodeRequirements(await loadProject({ cwd, env }));
}

describe("what a project of the Node runtime installs", () => {
  it("stands in package.json and its lock", async () => {
    expect(await requirements()).toMatchObject({
      install: { kind: "npm" },
      paths: ["package.json", "package-lock.json"],
    });
  });

  it.each([
    [{ "package-lock.json": "{" }, "package-lock.json is not valid JSON."],
    [{ "package-lock.json": '{"lockfileVersion": 1}' }, "is of an npm that is too old"],
    [{ "modelship.yaml": "name: wine\nruntime: node\n" }, "Node does not run model.py."],
    [{ "modelship.yaml": `${files["modelship.yaml"]}requirements: r.txt\n` }, "`requirements` is for Python"],
    [{ "modelship.yaml": `${files["modelship.yaml"]}accelerator: cuda\n` }, "computes on the CPU alone"],
  ])("%j cannot be built", async (more, message) => {
    await expect(requirements(more)).rejects.toThrow(message);
  });

  it("is not there without a lock", async () => {
    const { "package-lock.json": _, ...rest } = files;
    const cwd = await folderWith(rest);
    const project = await loadProject({ cwd, env: {} });
    await expect(readNodeRequirements(project)).rejects.toThrow(
      "There is no package-lock.json in the project.",
    );
  });
});

it("its Dockerfile installs by the locks, leaves npm's record of hosts behind, and ends as a plain user", () => {
  const text = renderDockerfile(
    nodeStages({
      base: "node:22-bookworm-slim",
      profile: "default",
      requirements: { kind: "npm" },
      systemPackages: [],
      buildArgs: [],
      secrets: ["npmrc"],
      keepCaCerts: false,
      environment: { NODE_ENV: "production" },
      port: 8080,
    } as Parameters<typeof nodeStages>[0]),
  );
  expect(text.match(/npm ci --omit=dev/g)).toHaveLength(2);
  expect(text).toContain("--mount=type=secret,id=npmrc,target=/root/.npmrc");
  expect(text).toContain("rm -f */node_modules/.package-lock.json");
  expect(text).toContain("ONNXRUNTIME_NODE_INSTALL=skip");
  expect(text).toMatch(/USER 10001:10001\n[\s\S]*HEALTHCHECK .*health\.js[\s\S]*ENTRYPOINT \["node"/);
  expect(text).not.toMatch(/^# *syntax|<<|--link/m);
});

it("its lock says which packages an image has, without those for development", () => {
  const text = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      "": { name: "wine", version: "1.0.0" },
      "node_modules/zod": { version: "4.0.0", integrity: "sha512-x" },
      "node_modules/@scope/part": { version: "2.0.0" },
      "node_modules/zod/node_modules/deep": { version: "3.0.0" },
      "node_modules/typescript": { version: "5.0.0", dev: true },
    },
  });
  const packages = readNpmLock(text);
  expect(packages.map(({ name, version }) => `${name}@${version}`)).toEqual([
    "@scope/part@2.0.0",
    "deep@3.0.0",
    "zod@4.0.0",
  ]);
  const document = spdxDocument({
    image: { name: "registry.example/wine", version: "1", digest: `sha256:${"a".repeat(64)}` },
    base: { reference: "node:22-bookworm-slim" },
    weights: [],
    packages: [],
    npmPackages: packages,
    locked: true,
    systemPackages: [],
    created: "2026-01-01T00:00:00Z",
    tool: "1",
  });
  const purls = document.packages.flatMap(({ externalRefs = [] }) => externalRefs);
  expect(purls.map(({ referenceLocator }) => referenceLocator)).toContain("pkg:npm/%40scope/part@2.0.0");
});
