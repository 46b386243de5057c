import type { Engine } from "../../docker/client.js";
import { engineError } from "../../docker/errors.js";
import type { ImageFacts } from "../../docker/images.js";
import { saveImage } from "../../docker/load.js";
import { isUserError, systemCode, throwIfAborted } from "../../errors.js";
import type { Spool } from "../../registry/intake/spool.js";
import { type Descriptor, digestOf } from "../../registry/manifest.js";
import { type Reporter, task } from "../../reporter.js";
import { familyTypes } from "../graft/family.js";
import type { CodeImage, ImageManifest } from "../graft/model.js";
import { type ArchiveFile, readArchive } from "./archive.js";
import { type CompressedLayer, CompressedLayers } from "./compressed-layers.js";
import { compressionIn } from "./layer-blobs.js";
import { LayerIntake } from "./layer-intake.js";
import { chooseImage, imageConfig, imageManifest, isIndex, unreadable } from "./manifest.js";

export interface SaveOptions {
  spool: Spool;
  has: (digest: string) => Promise<number | undefined>;
  /** A layer that `has` did not know lies in the spool. */
  onBlob?: (digest: string) => void;
  report: Reporter;
  signal: AbortSignal | undefined;
}

/**
 * Gets an image out of an engine as the archive that `docker save` writes. All layers come over, whether they are
 * wanted or not; on stores that keep them unpacked, those that are nowhere yet are compressed here.
 */
export async function exportBySave(
  engine: Engine,
  image: ImageFacts,
  options: SaveOptions,
): Promise<CodeImage> {
  const { spool, signal, report } = options;
  const compressed = await CompressedLayers.open(spool);
  const saved = new SavedImage(new LayerIntake({ ...options, compressed }), engine.info.store === "classic");
  const name = image.repoTags[0] ?? image.id;
  try {
    await task(report, `save ${name}`, `Read ${name} from the engine`, async () => {
      const archive = await saveImage(engine, [image.id], signal);
      await readArchive(archive, (file, bytes, size) => saved.take(file, bytes, size));
    });
    return saved.image(image.platform);
  } catch (error) {
    throwIfAborted(signal);
    throw isUserError(error) || systemCode(error) === "ENOSPC" ? error : engineError(error, `saving ${name}`);
  } finally {
    await compressed.save();
  }
}

/** What is read into memory: configurations, manifests and indexes. */
const largestDocument = 4 * 1024 * 1024;
const mostDocumentBytes = 16 * 1024 * 1024;

type Fields = Readonly<Record<string, unknown>>;

/** An image put together from the files of an archive, in whatever order they come. */
class SavedImage {
  private readonly layers: LayerIntake;
  private readonly compresses: boolean;
  /** By file name. */
  private readonly lists = new Map<string, unknown>();
  /** By digest. */
  private readonly documents = new Map<string, Buffer>();
  private documentBytes = 0;
  /** By the digest of the unpacked layer. */
  private readonly byDiffId = new Map<string, CompressedLayer>();

  constructor(layers: LayerIntake, compresses: boolean) {
    this.layers = layers;
    this.compresses = compresses;
  }

  async take(file: ArchiveFile, bytes: AsyncIterable<Buffer>, size: number): Promise<void> {
    switch (file.kind) {
      case "list":
        this.lists.set(file.name, parsed(await whole(bytes, size)));
        return;
      case "config":
        return this.document(file.digest, await whole(bytes, size));
      case "layer":
        await this.layer(file.name, bytes);
        return;
      case "blob":
        return this.blob(file, bytes, size);
    }
  }

  image(platform: string): CodeImage {
    const index = this.lists.get("index.json");
    return index === undefined ? this.fromDockerArchive() : this.fromLayout(Object(index), platform);
  }

  private async blob(
    { name, digest }: { name: string; digest: string },
    bytes: AsyncIterable<Buffer>,
    size: number,
  ): Promise<void> {
    let [start, all] = await peeked(bytes);
    if (size <= largestDocument && start[0] === 0x7b) {
      const text = await whole(all, size);
      if (!text.includes(0)) return this.document(digest, text);
      all = oneChunk(text); // a tar: its first file is called {...
    }
    if (!this.compresses || compressionIn(start) !== "") return this.layers.whole(digest, all);
    if ((await this.layer(name, all)).diffId !== digest) throw unreadable(`A layer is not ${digest}.`);
  }

  private async layer(name: string, bytes: AsyncIterable<Buffer>): Promise<CompressedLayer> {
    const layer = await this.layers.plain(name, bytes);
    this.byDiffId.set(layer.diffId, layer);
    return layer;
  }

  private document(digest: string, bytes: Buffer): void {
    if (digestOf(bytes) !== digest) throw unreadable(`A document of it is not ${digest}.`);
    this.documentBytes += bytes.length;
    if (this.documentBytes > mostDocumentBytes) throw unreadable("It has too many documents.");
    this.documents.set(digest, bytes);
  }

  private read(digest: string): Fields {
    const bytes = this.documents.get(digest);
    if (bytes === undefined) throw unreadable(`Its archive lacks ${digest}.`);
    return Object(parsed(bytes)) as Fields;
  }

  /** An OCI layout, whose index may lead to another one. */
  private fromLayout(index: Fields, platform: string): CodeImage {
    let document = index;
    for (let depth = 0; depth < 4 && isIndex(document); depth++)
      document = this.read(chooseImage(document, platform, (digest) => this.documents.has(digest)));
    const manifest = imageManifest(document);
    const layers = manifest.layers.map((layer) => ({ ...layer, ...this.asCompressed(layer) }));
    const config = this.read(manifest.config.digest);
    return { manifest: { ...manifest, layers }, config: imageConfig(config, layers.length) };
  }

  private asCompressed({ digest, mediaType }: Descriptor): Partial<Descriptor> {
    const layer = this.byDiffId.get(digest);
    if (layer === undefined) return {};
    const suffix = mediaType.startsWith("application/vnd.docker.") ? ".gzip" : "+gzip";
    return { digest: layer.digest, size: layer.size, mediaType: mediaType + suffix };
  }

  /** The older form: one list of files, without sizes and types, so that the manifest is ours. */
  private fromDockerArchive(): CodeImage {
    const list = this.lists.get("manifest.json");
    const listed = (Array.isArray(list) ? list[0] : undefined) as { Config?: unknown } | null | undefined;
    const [, hex] = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(String(listed?.Config)) ?? [];
    const bytes = this.documents.get(`sha256:${hex}`);
    if (bytes === undefined) throw unreadable("Its archive has no configuration.");
    const ids = (Object(parsed(bytes)) as { rootfs?: { diff_ids?: unknown[] } }).rootfs?.diff_ids;
    const config = imageConfig(Object(parsed(bytes)) as Fields, ids?.length ?? 0);
    const { oci } = familyTypes;
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: oci.manifest,
      config: { mediaType: oci.config, size: bytes.length, digest: digestOf(bytes) },
      layers: config.rootfs.diff_ids.map((id) => {
        const layer = this.byDiffId.get(id);
        if (layer === undefined) throw unreadable(`Its archive lacks the layer ${id}.`);
        return { mediaType: `${oci.layer}+gzip`, size: layer.size, digest: layer.digest };
      }),
    };
    return { manifest, config };
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw unreadable("A document of it is no JSON.");
  }
}

async function whole(bytes: AsyncIterable<Buffer>, size: number): Promise<Buffer> {
  if (size > largestDocument) throw unreadable("A document of it is too large.");
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** The first bytes, and all of them. */
async function peeked(bytes: AsyncIterable<Buffer>): Promise<[Buffer, AsyncIterable<Buffer>]> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  const start = first.done ? Buffer.alloc(0) : first.value;
  const all = async function* () {
    yield start;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return [start, all()];
}
