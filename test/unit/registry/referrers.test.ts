import { describe, expect, it, onTestFinished } from "vitest";
import { RegistryClient } from "../../../src/registry/client.js";
import { bytesBlob } from "../../../src/registry/file-blob.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { emptyObject, listReferrers, putReferrer } from "../../../src/registry/referrers.js";
import { sendBlob } from "../../../src/registry/upload/send-blob.js";
import { type StandInOptions, startStandIn } from "../../setup/stand-in/registry.js";

const repository = "acme/digits";
const subject = {
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"5".repeat(64)}`,
  size: 1234,
};
const fallbackTag = `sha256-${"5".repeat(64)}`;

async function registry(options?: StandInOptions) {
  const server = await startStandIn(options);
  const client = new RegistryClient(server.host, { env: {}, backoff: 1, credentials: async () => undefined });
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  const empty = bytesBlob(emptyObject.bytes, { title: "empty", mediaType: emptyObject.mediaType });
  await sendBlob(client, empty, { repository });
  const config = { mediaType: empty.mediaType, digest: empty.digest ?? "", size: empty.size };
  const put = (artifactType: string, annotations?: Record<string, string>) =>
    putReferrer(client, repository, {
      artifactType,
      config,
      layers: [config],
      subject,
      ...(annotations && { annotations }),
    });
  const { manifests } = server.store.repository(repository);
  return {
    ...server,
    client,
    put,
    manifests,
    list: (type?: string) => listReferrers(client, repository, subject.digest, type),
  };
}

describe.each([
  ["a registry that lists referrers", true],
  ["a registry that does not", false],
])("what is about an image, in %s", (_name, referrers) => {
  it("is found again, with its type and annotations, all of it or of one type", async () => {
    const { put, list } = await registry({ referrers });
    expect(await list()).toEqual([]);
    const sbom = await put("application/spdx+json", { "org.example.note": "first" });
    const others = [await put("application/x-b"), await put("application/x-c"), await put("application/x-d")];
    expect((await list()).map(({ digest }) => digest).sort()).toEqual(
      [sbom, ...others].map(({ digest }) => digest).sort(),
    );
    expect(await list("application/spdx+json")).toEqual([
      { ...sbom, artifactType: "application/spdx+json", annotations: { "org.example.note": "first" } },
    ]);
    expect(await list("application/x-unknown")).toEqual([]);
  });

  it("is there once, however often it is put", async () => {
    const { put, list } = await registry({ referrers });
    await put("application/spdx+json");
    await put("application/spdx+json");
    expect(await list()).toHaveLength(1);
  });

  it("keeps the tag for old registries only where it is needed", async () => {
    const { put, manifests } = await registry({ referrers });
    await put("application/spdx+json");
    expect(manifests.has(fallbackTag)).toBe(!referrers);
  });
});

describe("the index of a registry that lists no referrers", () => {
  it("keeps what others wrote, fields that we do not know too", async () => {
    const { put, list, client } = await registry();
    const other = { mediaType: subject.mediaType, digest: `sha256:${"7".repeat(64)}`, size: 7, "x-own": 1 };
    const type = "application/vnd.oci.image.index.v1+json";
    const index = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [other], "x-top": true });
    await client.putManifest({ repository, tag: fallbackTag }, type, index);
    await put("application/spdx+json");
    expect(await list()).toHaveLength(2);
    const kept = JSON.parse((await client.manifest({ repository, tag: fallbackTag })).body.toString());
    expect(kept).toMatchObject({
      "x-top": true,
      manifests: [other, { artifactType: "application/spdx+json" }],
    });
  });

  it("has both entries when two write it at once", async () => {
    const { put, list } = await registry();
    await Promise.all([put("application/x-a"), put("application/x-b")]);
    expect((await list()).map((one) => one.artifactType).sort()).toEqual([
      "application/x-a",
      "application/x-b",
    ]);
  });

  it("gets its entry again when another writer has overwritten it", async () => {
    const { put, list, manifests } = await registry();
    const type = "application/vnd.oci.image.index.v1+json";
    const theirs = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] }));
    const set = manifests.set.bind(manifests);
    let overwritten = false;
    manifests.set = (key, value) => {
      set(key, value);
      if (key === fallbackTag && !overwritten) {
        overwritten = true;
        for (const name of [fallbackTag, digestOf(theirs)]) set(name, { mediaType: type, body: theirs });
      }
      return manifests;
    };
    await put("application/spdx+json");
    expect(overwritten).toBe(true);
    expect(await list()).toHaveLength(1);
  });

  it("is refused when the tag holds something else", async () => {
    const { put, list, client } = await registry();
    await client.putManifest({ repository, tag: fallbackTag }, subject.mediaType, '{"schemaVersion":2}');
    await expect(put("application/spdx+json")).rejects.toMatchObject({ code: "registry_failed" });
    await expect(list()).rejects.toThrow(/is no index/);
  });

  it.each([
    ["no list", '{"manifests": {"a": 1}}'],
    ["entries that are none", '{"manifests": [1, null, {"digest": "sha256:1"}, {"digest": 5, "size": -1}]}'],
    ["no JSON", "{"],
  ])("is read with care: %s", async (_name, text) => {
    const { list, manifests } = await registry();
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const body = Buffer.from(text);
    for (const key of [fallbackTag, digestOf(body)]) manifests.set(key, { mediaType, body });
    expect(await list()).toEqual([]);
  });
});

it("says what the registry says when it does not take an artifact", async () => {
  const { put, inject } = await registry();
  inject({
    method: "PUT",
    path: /manifests/,
    fault: { kind: "status", status: 400, code: "MANIFEST_INVALID" },
  });
  await expect(put("application/spdx+json")).rejects.toMatchObject({
    code: "registry_failed",
    why: expect.stringContaining("manifest invalid"),
  });
});
