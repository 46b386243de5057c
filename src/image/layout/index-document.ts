import { digestOf } from "../../registry/manifest.js";
import { familyTypes } from "../graft/family.js";
import type { LayoutManifest } from "./content.js";
import { descriptorOf, nameAnnotation, refAnnotation } from "./descriptor.js";

/** What the file of the layout's version says. */
export const layoutVersion = Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" }));

/**
 * A layout's index.json, in which an image has gained names. What is there already stays, known to us or not, but
 * gives up the names that the image takes.
 */
export function indexDocument(
  manifest: LayoutManifest,
  names: readonly string[],
  before: Readonly<Record<string, unknown>> = {},
): Buffer {
  const { mediaType, body } = manifest;
  const descriptor = { mediaType, digest: digestOf(body), size: body.length };
  const entries =
    names.length === 0
      ? [descriptor]
      : names.map((name) => ({
          ...descriptor,
          annotations: { [nameAnnotation]: name, [refAnnotation]: name.slice(name.lastIndexOf(":") + 1) },
        }));
  const others = Array.isArray(before.manifests) ? (before.manifests as unknown[]) : [];
  const kept = others.filter((entry) => {
    const known = descriptorOf(entry);
    const name = known?.annotations?.[nameAnnotation] ?? known?.annotations?.[refAnnotation];
    return name === undefined ? known?.digest !== descriptor.digest : !names.includes(name);
  });
  return Buffer.from(
    JSON.stringify({
      ...before,
      schemaVersion: 2,
      mediaType: familyTypes.oci.index,
      manifests: [...kept, ...entries],
    }),
  );
}
