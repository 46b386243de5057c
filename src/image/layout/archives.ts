import { UserError } from "../../errors.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import type { ArchiveEntry } from "../graft/thin-archive.js";
import { blobsOf, type LayoutImage, partsOf } from "./content.js";
import { blobFile, dockerListFile, indexFile, layoutFile } from "./files.js";
import { indexDocument, layoutVersion } from "./index-document.js";

/** The files of an OCI image layout. */
export function ociFiles(image: LayoutImage): ArchiveEntry[] {
  const { manifest, manifests = [], names } = image;
  return [
    { name: layoutFile, content: layoutVersion },
    { name: indexFile, content: indexDocument(manifest, names) },
    ...[manifest, ...manifests].map(({ body }) => ({ name: blobFile(digestOf(body)), content: body })),
    ...blobsOf(image).map((blob) => ({ name: blobFile(blob.digest), content: blob })),
  ];
}

/** The files of `docker save`'s form, which holds an image for one platform. Compressed layers stay as they are. */
export function dockerFiles(image: LayoutImage): ArchiveEntry[] {
  const { manifest, manifests = [], names } = image;
  const { blobs: own } = partsOf(manifest.body);
  const [only = manifest] = manifests.filter(({ body }) => isImage(body));
  if (own.length === 0 && manifests.filter(({ body }) => isImage(body)).length !== 1) {
    throw new UserError("usage", "A docker-tar holds an image for one platform.", {
      why: "This one is for several.",
      hint: "Name one with --platform, or write an oci-tar.",
    });
  }
  const [config, ...layers] = partsOf(own.length > 0 ? manifest.body : only.body).blobs;
  if (!config) throw new Error("the manifest of an image names no configuration");
  const wanted = new Map([
    [config.digest, `${hex(config)}.json`],
    ...layers.map((layer): [string, string] => [layer.digest, `${hex(layer)}.tar`]),
  ]);
  const list = [
    { Config: `${hex(config)}.json`, RepoTags: names, Layers: layers.map((one) => `${hex(one)}.tar`) },
  ];
  return [
    ...blobsOf(image).flatMap((blob) => {
      const name = wanted.get(blob.digest);
      return name === undefined ? [] : [{ name, content: blob }];
    }),
    { name: dockerListFile, content: Buffer.from(JSON.stringify(list)) },
  ];
}

/** BuildKit's attestations have manifests like images, about layers that are no file systems. */
function isImage(body: Buffer): boolean {
  return partsOf(body).blobs.some(({ mediaType }, at) => at > 0 && /\.tar(?:$|[+.])/.test(mediaType));
}

function hex({ digest }: Descriptor): string {
  return digest.slice(digest.indexOf(":") + 1);
}
