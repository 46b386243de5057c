import { afterEach, expect, it } from "vitest";
import { nearbyLayerSizes } from "../../../src/image/push/nearby-layers.js";
import { Target } from "../../../src/image/push/target.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { silent } from "../../../src/reporter.js";
import { type FakeServer, serve } from "../registry/fake-registry.js";

let server: FakeServer | undefined;
afterEach(() => server?.close());

/** A registry with these tags: images with layers of these sizes, or manifests of this text. */
async function near(tag: string, images: Record<string, number[] | string>): Promise<number[]> {
  const manifests = new Map<string, string>();
  for (const [name, sizes] of Object.entries(images)) {
    const isText = typeof sizes === "string";
    manifests.set(name, isText ? sizes : JSON.stringify({ layers: sizes.map((size) => ({ size })) }));
  }
  server = await serve(({ url }, response) => {
    if (url.endsWith("/tags/list")) return response.end(JSON.stringify({ tags: [...manifests.keys()] }));
    const body = manifests.get(url.split("/").at(-1) ?? "");
    if (body === undefined) return response.writeHead(404).end();
    const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
    return response
      .writeHead(200, { ...headers, "docker-content-digest": digestOf(Buffer.from(body)) })
      .end(body);
  });
  const reference = { registry: server.host, repository: "acme/digits", tag };
  const target = new Target(reference, { env: {}, report: silent, mountFrom: [] });
  try {
    return [...(await nearbyLayerSizes(target))].sort((a, b) => a - b);
  } finally {
    target.close();
  }
}

it("the tag itself, latest and the versions before it are looked at", async () => {
  const versions = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => [`1.${n}.0`, [n]]));
  const images = { ...versions, latest: [100], "1.10.1": [200, 201], "sha256-0000": [300] };
  expect(await near("1.10.1", images)).toEqual([6, 7, 8, 9, 10, 100, 200, 201]);
});

it("where nothing comes before it, those after it are", async () => {
  expect(await near("0.1.0", { "1.0.0": [1], "2.0.0": [2] })).toEqual([1, 2]);
});

it("a new repository has none, and what is no manifest is none", async () => {
  expect(await near("1.0.0", {})).toEqual([]);
  expect(await near("1.0.0", { "0.9.0": "[", "0.8.0": "null", "0.7.0": [7] })).toEqual([7]);
});
