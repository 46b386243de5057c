import { expect } from "vitest";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags, testEngine } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

interface Sizes {
  bytes: number;
  parts: { name: string; bytes: number }[];
  packages: { name: string; version: string | null; bytes: number }[];
  suggestions: { message: string }[];
}

/** An image with 3 MB of model files, and what `modelship size` says of it. */
export async function sizedImage(profile?: "edge") {
  const { root, name } = await smallProject({ "model/factor.txt": `2\n${" ".repeat(3_000_000)}` });
  cleanImagesOf(await testEngine(), name);
  const env = profile ? { MODELSHIP_IMAGE_PROFILE: profile } : {};
  const build = await modelship(["build", "--json", ...networkFlags], { cwd: root, env });
  expect(build.code, build.stderr).toBe(0);
  const said = await modelship(["size", "--json"], { cwd: root, env });
  expect(said.code, said.stderr).toBe(0);
  const sizes = JSON.parse(said.stdout) as Sizes;
  const part = (name: string) => sizes.parts.find((one) => one.name === name)?.bytes ?? 0;
  return { root, name, env, sizes, part };
}
