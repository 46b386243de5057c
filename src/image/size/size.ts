import type { Engine } from "../../docker/client.js";
import { connectEngine } from "../../docker/connect.js";
import { findImagesByLabel, type ImageFacts, inspectImage } from "../../docker/images.js";
import { UserError } from "../../errors.js";
import { loadProject } from "../../project/load.js";
import type { Reporter } from "../../reporter.js";
import { Label } from "../label-names.js";
import { type ImageParts, partsOf } from "./parts.js";
import { readImage } from "./read-image.js";
import { type Suggestion, suggestionsFor } from "./suggestions.js";

export interface SizeOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  dir?: string | undefined;
  host?: string | undefined;
  context?: string | undefined;
  /** An image of the engine; by default the project's newest. */
  image?: string | undefined;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

export interface ImageSize extends Pick<ImageParts, "parts" | "packages" | "system"> {
  image: string;
  id: string;
  /** Bytes of all files of all layers; files that a later layer replaces or deletes are still there. */
  bytes: number;
  base: string | null;
  suggestions: readonly Suggestion[];
}

/** Where the megabytes of an image are, and what would make it smaller. The image is read as a stream and not kept. */
export async function imageSize(options: SizeOptions): Promise<ImageSize> {
  const engine = await connectEngine(options);
  const image = await find(engine, options);
  const { layers, instructions } = await readImage(engine, image, options);
  const base = image.labels["org.opencontainers.image.base.name"];
  const baseLayers = await countBase(engine, image, base, instructions);
  const found = partsOf(layers, { baseLayers, files: image.labels[Label.files] });
  const profile = baseLayers === 0 ? "edge" : "default";
  const accelerator = image.labels[Label.accelerator];
  const { parts, packages, system } = found;
  return {
    image: image.repoTags[0] ?? image.id,
    id: image.id,
    bytes: layers.reduce((sum, { total }) => sum + total, 0),
    base: base ?? null,
    parts,
    packages,
    system,
    suggestions: suggestionsFor({ ...found, accelerator, base, profile }),
  };
}

/** The newest image is among the first: an engine can hold hundreds of a project. */
const mostLookedAt = 20;

async function find(engine: Engine, options: SizeOptions): Promise<ImageFacts> {
  if (options.image !== undefined) {
    const image = await inspectImage(engine, options.image);
    if (image) return image;
    throw new UserError("image_not_found", `The engine has no image ${options.image}.`, {
      hint: "Name one that `docker images` lists, or leave it out for the project's.",
    });
  }
  const { config } = await loadProject(options);
  const listed = await findImagesByLabel(engine, { [Label.name]: config.name });
  const images = await Promise.all(listed.slice(0, mostLookedAt).map(({ id }) => inspectImage(engine, id)));
  // Of the same age as the image is the one of the code alone.
  const image = images.find((one) => one?.labels[Label.weights] === "baked") ?? images[0];
  if (image) return image;
  throw new UserError("image_not_found", `${config.name} has not been built.`, {
    hint: "Build it with `modelship build`.",
  });
}

/** What our Dockerfiles begin with after their base; of the edge profile with all files at once. */
const ours =
  /modelship_install|\/opt\/(venv|modelship)|COPY (--from=\S+ )?\/ \/|\/usr\/local\/(bin|lib) \/usr\/local/;

/** The base's layers are the first ones, if they are; an image of the edge profile has none of them. */
async function countBase(
  engine: Engine,
  image: ImageFacts,
  name: string | undefined,
  instructions: readonly string[],
): Promise<number> {
  const base = name === undefined ? undefined : await inspectImage(engine, name);
  if (base?.layers.every((layer, at) => image.layers[at] === layer)) return base.layers.length;
  return Math.max(
    0,
    instructions.findIndex((instruction) => ours.test(instruction)),
  );
}
