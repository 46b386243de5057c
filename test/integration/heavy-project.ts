import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { modelship } from "../setup/cli.js";
import { cleanImagesOf, networkFlags } from "../setup/engine.js";
import { smallProject } from "../setup/project.js";

const manifestTypes =
  "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/**
 * A project with one large model file that nobody has seen. The cache may be shared: an engine takes seconds to compress
 * the base image's layers.
 */
export async function heavyProject(
  engine: Engine,
  cache: string,
  bytes: number,
  registry = process.env.MODELSHIP_TEST_REGISTRY ?? "",
) {
  const { name, root } = await smallProject();
  cleanImagesOf(engine, name);
  const weights = join(root, "model/weights.bin");
  await writeFile(weights, randomBytes(bytes));
  const push = (repository: string, more: Partial<Parameters<typeof modelship>[1]> = {}) =>
    modelship(["push", `${registry}/${repository}/${name}`, "--json", ...networkFlags], {
      cwd: root,
      ...more,
      env: { XDG_CACHE_HOME: cache, ...more.env },
    });
  const succeeds = async (repository: string) => {
    const said = await push(repository);
    expect(said.code, said.stderr).toBe(0);
    return JSON.parse(said.stdout);
  };
  const manifest = (repository: string) =>
    fetch(`http://${registry}/v2/${repository}/${name}/manifests/1.0.0`, {
      headers: { accept: manifestTypes },
    });
  return { name, root, weights, push, succeeds, manifest };
}
