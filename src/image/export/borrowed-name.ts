import type { Engine } from "../../docker/client.js";
import { findImagesByLabel, type ImageFacts, removeImage, tagImage } from "../../docker/images.js";
import { isLeftOverReference } from "../../registry/intake/intake.js";
import { Label } from "../label-names.js";

/**
 * Lets an image have one more name while something is done with it. An engine deletes an image along with its last
 * name, so one that has no other is given a lasting one first.
 */
export async function withName<T>(
  engine: Engine,
  image: ImageFacts,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  if (!image.repoTags.some((tag) => !isLeftOverReference(tag)))
    await tagImage(engine, image.id, `modelship.local/unnamed:${image.id.slice("sha256:".length, 19)}`);
  await forgetLeftOvers(engine, image);
  await tagImage(engine, image.id, name);
  try {
    return await work();
  } finally {
    // An engine that has gone cannot be told; the next export of the project does it.
    await removeImage(engine, name).catch(() => false);
  }
}

/** Takes back the names that exports which were killed left on images of the same project. */
async function forgetLeftOvers(engine: Engine, image: ImageFacts): Promise<void> {
  const project = image.labels[Label.name];
  const images = project === undefined ? [image] : await findImagesByLabel(engine, { [Label.name]: project });
  for (const { repoTags } of images)
    for (const name of repoTags.filter(isLeftOverReference))
      await removeImage(engine, name).catch(() => false);
}
