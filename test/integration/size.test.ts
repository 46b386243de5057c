import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

interface Sizes {
  bytes: number;
  parts: { name: string; bytes: number }[];
  packages: { name: string; version: string | null; bytes: number }[];
  suggestions: { message: string }[];
}

async function built(yaml: string) {
  const { root, name } = await smallProject({ "model/factor.txt": `2\n${" ".repeat(3_000_000)}` });
  cleanImagesOf(await testEngine(), name);
  const env = yaml === "" ? {} : { MODELSHIP_IMAGE_PROFILE: yaml };
  const build = await modelship(["build", "--json", ...networkFlags], { cwd: root, env });
  expect(build.code, build.stderr).toBe(0);
  const said = await modelship(["size", "--json"], { cwd: root, env });
  expect(said.code, said.stderr).toBe(0);
  const sizes = JSON.parse(said.stdout) as Sizes;
  const part = (name: string) => sizes.parts.find((one) => one.name === name)?.bytes ?? 0;
  return { root, name, env, sizes, part };
}

describe("modelship size", () => {
  it("finds base, packages, service, code and model files in an image, and a smaller one with the edge profile", async () => {
    const { sizes, part } = await built("");
    expect(part("model files")).toBe(3_000_002);
    expect(part("code")).toBeGreaterThan(300);
    expect(part("base")).toBeGreaterThan(50_000_000);
    expect(part("service")).toBeGreaterThan(100_000);
    expect(sizes.packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["numpy", "uvicorn", "pydantic"]),
    );
    expect(sizes.packages[0]?.version).toMatch(/^\d/);
    expect(sizes.bytes).toBe(sizes.parts.reduce((sum, { bytes }) => sum + bytes, 0));

    const edge = await built("edge");
    expect(edge.part("model files")).toBe(3_000_002);
    expect(edge.sizes.bytes).toBeLessThan(sizes.bytes * 0.9);
    expect(edge.sizes.suggestions.map(({ message }) => message).join()).not.toContain("tests");
    const service = edge.name;
    const run = await modelship(["run", "--detach", "--port", "0", "--json", ...networkFlags], {
      cwd: edge.root,
      env: edge.env,
    });
    expect(run.code, run.stderr).toBe(0);
    try {
      const { url } = JSON.parse(run.stdout) as { url: string };
      const answer = await modelship(["predict", "--url", url], { cwd: edge.root, env: edge.env });
      expect(JSON.parse(answer.stdout)).toMatchObject({ value: 42 });
    } finally {
      await modelship(["stop", service], { cwd: edge.root });
    }
  }, 400_000);

  it("says that there is no such image", async () => {
    const { root } = await smallProject();
    const said = await modelship(["size", "--json"], { cwd: root });
    expect(said.code).toBe(1);
    expect(JSON.parse(said.stdout).error.code).toBe("image_not_found");
    const named = await modelship(["size", `absent-${randomBytes(4).toString("hex")}:1`], { cwd: root });
    expect(named.code).toBe(1);
  });
});

describe("a GPU that is not there", () => {
  it("ends the service, unless the CPU is allowed", async () => {
    const { root, name } = await smallProject();
    cleanImagesOf(await testEngine(), name);
    const env = { MODELSHIP_ACCELERATOR: "cuda" };
    const flags = ["run", "--detach", "--port", "0", ...networkFlags];
    const refused = await modelship(flags, { cwd: root, env });
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(
      "CUDA was asked for and cannot be used: there is no NVIDIA driver in this container",
    );
    const allowed = await modelship([...flags, "--allow-cpu"], { cwd: root, env });
    expect(allowed.code, allowed.stderr).toBe(0);
    const logs = await modelship(["logs", name], { cwd: root });
    expect(logs.stdout + logs.stderr).toContain("computes on the CPU, which was allowed");
    await modelship(["stop", name], { cwd: root });
  });
});
