import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { LayoutImage } from "../../../../src/image/layout/content.js";
import type { Blob } from "../../../../src/registry/blob.js";
import { digestOf } from "../../../../src/registry/manifest.js";
import { blobOf } from "../../../setup/bytes-blob.js";

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
export const indexType = "application/vnd.oci.image.index.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar";

export async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content as string);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function blob(content: Buffer, mediaType: string): Blob {
  return Object.assign(blobOf(content), { mediaType });
}

const described = ({ mediaType, size, digest }: Blob) => ({ mediaType, size, digest });

/** An image of a gzipped and a plain layer, and all its bytes by digest. */
export async function smallImage(
  architecture = "amd64",
  config: Record<string, unknown> = {},
): Promise<{ image: LayoutImage; bytes: Map<string, Buffer> }> {
  const code = await tarOf({ "hello.txt": `hello from ${architecture}` });
  const weights = await tarOf({ "app/model/weights.bin": randomBytes(2_500_000) });
  const gzipped = gzipSync(code);
  const configuration = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      config,
      rootfs: { type: "layers", diff_ids: [digestOf(code), digestOf(weights)] },
      history: [{ created_by: "code" }, { created_by: "modelship weights" }],
    }),
  );
  const blobs = [
    blob(configuration, "application/vnd.oci.image.config.v1+json"),
    blob(gzipped, `${layerType}+gzip`),
    blob(weights, layerType),
  ];
  const [first, ...layers] = blobs.map(described);
  const body = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: first, layers }),
  );
  const bytes = new Map([configuration, gzipped, weights, body].map((one) => [digestOf(one), one]));
  return {
    image: {
      names: ["registry.example/you/digits:1.2.0"],
      manifest: { mediaType: manifestType, body },
      blobs,
    },
    bytes,
  };
}

/** An index of two platforms. */
export async function indexImage(): Promise<{ image: LayoutImage; bytes: Map<string, Buffer> }> {
  const both = [await smallImage("amd64"), await smallImage("arm64")];
  const manifests = both.map(({ image }) => image.manifest);
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: indexType,
      manifests: manifests.map((one, at) => ({
        mediaType: one.mediaType,
        digest: digestOf(one.body),
        size: one.body.length,
        platform: { os: "linux", architecture: at === 0 ? "amd64" : "arm64" },
      })),
    }),
  );
  const bytes = new Map(both.flatMap((one) => [...one.bytes]));
  bytes.set(digestOf(body), body);
  return {
    image: {
      names: ["digits:1.2.0"],
      manifest: { mediaType: indexType, body },
      manifests,
      blobs: both.flatMap(({ image }) => image.blobs),
    },
    bytes,
  };
}

/** The same with the types that Docker had before OCI. */
export function inDockerTypes(image: LayoutImage): LayoutImage {
  const old = (text: string) =>
    text
      .replaceAll(`${layerType}+gzip`, "application/vnd.docker.image.rootfs.diff.tar.gzip")
      .replaceAll(layerType, "application/vnd.docker.image.rootfs.diff.tar")
      .replaceAll(
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
      )
      .replaceAll(manifestType, "application/vnd.docker.distribution.manifest.v2+json")
      .replaceAll(indexType, "application/vnd.docker.distribution.manifest.list.v2+json");
  const changed = new Map<string, Buffer>();
  const manifests = (image.manifests ?? []).map(({ mediaType, body }) => {
    const manifest = { mediaType: old(mediaType), body: Buffer.from(old(body.toString())) };
    changed.set(digestOf(body), manifest.body);
    return manifest;
  });
  let top = old(image.manifest.body.toString());
  for (const [digest, body] of changed) {
    const size = /"size":\d+/;
    const at = top.indexOf(digest);
    top = `${top.slice(0, at)}${digestOf(body)}${top.slice(at + digest.length).replace(size, `"size":${body.length}`)}`;
  }
  return {
    ...image,
    manifest: { mediaType: old(image.manifest.mediaType), body: Buffer.from(top) },
    manifests,
  };
}

export async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const received: Buffer[] = [];
  for await (const chunk of chunks) received.push(Buffer.from(chunk));
  return Buffer.concat(received);
}
