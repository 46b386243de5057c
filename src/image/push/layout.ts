import { UserError } from "../../errors.js";
import type { Manifest } from "../../registry/manifest.js";
import { parseReference } from "../../registry/reference.js";
import { partsOf } from "../layout/content.js";
import { type Layout, openLayout } from "../layout/read.js";
import type { Shipment } from "./shipment.js";
import type { Target } from "./target.js";

/** What `build --output` wrote, or any other OCI layout or `docker save` archive with one image. No engine is needed. */
export async function layoutShipment(path: string): Promise<Shipment> {
  const layout = await openLayout(path);
  const [entry] = layout.entries;
  const digests = new Set(layout.entries.map(({ descriptor }) => descriptor.digest));
  if (!entry || digests.size !== 1) {
    await layout.close();
    throw new UserError("usage", `${path} holds ${digests.size} images.`, {
      why: "A push sends one.",
      hint: "Write the one that is meant to a layout of its own.",
    });
  }
  const name = layout.entries.map((one) => one.name).find((one) => one !== undefined);
  return {
    version: (name !== undefined && parseReference(name).tag) || "latest",
    repository: null,
    async ship(target) {
      const manifest = await layout.manifest(entry.descriptor);
      await sendParts(target, layout, manifest);
      return { manifest, faces: [], documents: [] };
    },
    close: () => layout.close(),
  };
}

/** Every blob that a manifest names, and below an index every manifest, which is put under its digest. */
async function sendParts(target: Target, layout: Layout, manifest: Manifest): Promise<void> {
  const { manifests, blobs } = partsOf(manifest.body);
  await Promise.all(
    blobs.map((blob) => target.send(layout.blob(blob, `layer ${blob.digest.slice("sha256:".length, 19)}`))),
  );
  for (const descriptor of manifests) {
    const child = await layout.manifest(descriptor);
    await sendParts(target, layout, child);
    const { repository } = target.reference;
    await target.client.putManifest({ repository, digest: child.digest }, child.mediaType, child.body);
  }
}
