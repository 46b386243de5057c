import { gunzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { onTestFinished } from "vitest";
import type { Engine } from "../../src/docker/client.js";
import { connectEngine } from "../../src/docker/connect.js";
import { findImagesByLabel, removeImage } from "../../src/docker/images.js";
import { Label } from "../../src/image/label-names.js";

/** Engines without a bridge build and run on this machine's own network. */
export const networkFlags = process.env.MODELSHIP_TEST_NETWORK
  ? ["--network", process.env.MODELSHIP_TEST_NETWORK]
  : [];

/** The engine under test: the set-up's, or the one that DOCKER_HOST names. */
export function testEngine(): Promise<Engine> {
  return connectEngine({ env: process.env });
}

/** Images of a project, by its name. */
export async function imagesOf(engine: Engine, name: string) {
  return findImagesByLabel(engine, { [Label.name]: name });
}

/** Removes every image of this project when the test ends. */
export function cleanImagesOf(engine: Engine, name: string): void {
  onTestFinished(() => removeImagesOf(engine, name));
}

export async function removeImagesOf(engine: Engine, name: string): Promise<void> {
  for (const image of await imagesOf(engine, name)) {
    for (const tag of image.repoTags) await removeImage(engine, tag, { force: true }).catch(() => false);
    await removeImage(engine, image.id, { force: true }).catch(() => false);
  }
}

/** An image with one file and no Python, removed when the test ends. */
export async function imageWithoutPython(engine: Engine): Promise<string> {
  const name = "modelship.local/empty:1";
  const tar = pack();
  tar.entry({ name: "hello.txt" }, "hello");
  tar.finalize();
  // Podman takes the whole name as `repo` and has no ear for `tag`.
  const [repo, tag] = engine.info.kind === "podman" ? [name] : name.split(":");
  const stream = await engine.docker.importImage(tar as unknown as NodeJS.ReadableStream, { repo, tag });
  stream.resume();
  await new Promise((resolve) => stream.on("end", resolve));
  onTestFinished(async () => {
    await removeImage(engine, name, { force: true });
  });
  return name;
}

/** Whether some bytes stand anywhere in an image: manifest, configuration, or any file of any layer. */
export async function imageHolds(engine: Engine, reference: string, text: string): Promise<boolean> {
  const saved = await engine.docker.getImage(reference).get();
  let found = false;
  for await (const entry of saved.pipe(extract())) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
    found ||= (gzipped ? gunzipSync(bytes) : bytes).includes(text);
  }
  return found;
}
