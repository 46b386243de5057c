import type { Engine } from "../../docker/client.js";
import type { ImageFacts } from "../../docker/images.js";
import { saveImage } from "../../docker/load.js";
import { throwIfAborted, UserError } from "../../errors.js";
import { type Reporter, task } from "../../reporter.js";
import { readArchive } from "../export/archive.js";
import { LayerContent } from "./layer-content.js";
import { readLayerFiles } from "./layer-files.js";

const largestDocument = 4 * 1024 * 1024;
const mostDocumentBytes = 32 * 1024 * 1024;

export interface ReadImage {
  /** What the layers hold, the base's first. */
  layers: LayerContent[];
  /** The instruction that made each of them, as far as the image tells. */
  instructions: string[];
}

/** Reads an image out of the archive that the engine gives, as it comes. */
export async function readImage(
  engine: Engine,
  image: ImageFacts,
  { report, signal }: { report: Reporter; signal?: AbortSignal | undefined },
): Promise<ReadImage> {
  const contents = new Map<string, LayerContent>();
  const documents = new Map<string, Buffer>();
  let documentBytes = 0;
  const keep = (name: string, bytes: Buffer) => {
    documentBytes += bytes.length;
    if (documentBytes <= mostDocumentBytes) documents.set(name, bytes);
  };
  const name = image.repoTags[0] ?? image.id;
  await task(report, `read ${name}`, `Read ${name} from the engine`, async () => {
    const archive = await saveImage(engine, [image.id], signal);
    await readArchive(archive, async (file, bytes, size) => {
      const [isDocument, all] = await looked(bytes, size);
      if (isDocument) return keep(file.name, await whole(all));
      const content = new LayerContent();
      await readLayerFiles(all, (one) => content.take(one));
      contents.set(file.name, content);
    });
    throwIfAborted(signal);
  });
  const list = parsed(documents.get("manifest.json"));
  const entry = Object(Array.isArray(list) ? list[0] : undefined) as { Layers?: unknown; Config?: unknown };
  if (!Array.isArray(entry.Layers))
    throw new UserError("failed", `${name} cannot be read.`, { why: "Its archive has no list of layers." });
  const config = Object(parsed(documents.get(String(entry.Config)))) as { history?: unknown };
  const history = (Array.isArray(config.history) ? config.history : []) as {
    empty_layer?: boolean;
    created_by?: unknown;
  }[];
  return {
    // A layer that an image has twice is in the archive once, and a link the other time.
    layers: entry.Layers.map((path) => contents.get(String(path)) ?? new LayerContent()),
    instructions: history.filter((step) => !step?.empty_layer).map((step) => String(step?.created_by ?? "")),
  };
}

/** Whether it is a document, which starts with a brace or a bracket, as no tar of an image does; and all of it. */
async function looked(bytes: AsyncIterable<Buffer>, size: number): Promise<[boolean, AsyncIterable<Buffer>]> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  const all = async function* () {
    if (!first.done) yield first.value as Buffer;
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      yield next.value as Buffer;
  };
  const brace = !first.done && (first.value[0] === 0x7b || first.value[0] === 0x5b);
  return [brace && size <= largestDocument, all()];
}

async function whole(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parsed(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString() ?? "null");
  } catch {
    return undefined;
  }
}
