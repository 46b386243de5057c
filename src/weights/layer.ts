import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Blob, BlobReading } from "../registry/blob.js";
import type { Digests } from "./digests.js";
import { changed } from "./identity.js";
import type { LayerPlan, PlannedFile, WeightFile, WeightLayer } from "./layers.js";
import { inTurn, read, readThrough, type Watch } from "./reading.js";
import { type KnownFile, lookAt } from "./tape.js";
import { tarParts } from "./tar.js";

/** A planned file as it is now. */
type LayerFile = PlannedFile & KnownFile;

/** The layers of these plans, with what is remembered of them. Throws UserError `file_failed`, naming the file. */
export function openLayers(plans: readonly LayerPlan[], digests: Digests): Promise<Layer[]> {
  return Promise.all(
    plans.map(async (plan) => {
      const files = await Promise.all(
        plan.files.map(async (file) => {
          const found = await lookAt(file.file);
          if (found.size !== file.size) throw changed(file.file);
          return { ...file, ...found };
        }),
      );
      return new Layer(plan, files, digests);
    }),
  );
}

/** Model files as a tar that exists nowhere: it is made while it is read. */
export class Layer implements Blob {
  readonly mediaType = "application/vnd.oci.image.layer.v1.tar";
  readonly title: string;
  readonly plan: LayerPlan;
  readonly identity: string;
  /** In the digest cache: the same for the same files, whatever is in them. */
  private readonly name: string;
  private readonly contents: readonly LayerFile[];
  private readonly digests: Digests;
  private learned: { digest: string; files: readonly string[] } | undefined;

  constructor(plan: LayerPlan, files: readonly LayerFile[], digests: Digests) {
    const [first] = files;
    this.title = files.length === 1 && first ? basename(first.path) : `${files.length} model files`;
    this.plan = plan;
    this.contents = files;
    this.digests = digests;
    this.name = `layer:${hashOf(files.map(({ path, file }) => [path, file]))}`;
    this.identity = hashOf(files.map(({ path, mode, identity }) => [path, mode, identity]));
    const remembered = digests.recall(this.name, this.identity);
    if (remembered?.files?.length === files.length) {
      this.learned = { digest: remembered.digest, files: remembered.files };
    }
  }

  get size(): number {
    return this.plan.size;
  }

  get digest(): string | undefined {
    return this.learned?.digest;
  }

  /** The files with their digests, once these are known. */
  get files(): readonly WeightFile[] | undefined {
    const { learned } = this;
    if (!learned) return undefined;
    return this.contents.map(({ path, size }, index) => ({
      path: `/${path}`,
      size,
      digest: learned.files[index] ?? "",
    }));
  }

  /** A complete reading without a known digest finds it, and those of the files, and remembers them. */
  open(from = 0): BlobReading {
    const before = new Map<KnownFile, string>();
    if (!this.learned) {
      for (const file of this.contents) {
        const remembered = this.digests.recall(file.file, file.identity);
        if (remembered) before.set(file, remembered.digest);
      }
    }
    return read(tarParts(this.contents), {
      from,
      digest: this.digest,
      wanted: (file) => !before.has(file),
      learn: ({ digest, files, settled }) => this.learn(digest, new Map([...before, ...files]), settled),
    });
  }

  /** The digests, remembered or from one reading; a few layers are read at once. */
  async known(watch: Watch = {}): Promise<WeightLayer> {
    await inTurn(async () => {
      if (!this.learned) await readThrough(this.open(), watch);
    });
    const { digest, files, size } = this;
    if (digest === undefined || files === undefined) throw new Error("a layer was read and not learned");
    return { digest, size, files };
  }

  private async learn(
    digest: string,
    found: ReadonlyMap<KnownFile, string>,
    settled: boolean,
  ): Promise<void> {
    const files = this.contents.flatMap((file) => found.get(file) ?? []);
    this.learned = { digest, files };
    if (!settled) return;
    for (const [file, own] of found) this.digests.rememberFile(file, own);
    this.digests.remember(this.name, { identity: this.identity, digest, files });
    await this.digests.save();
  }
}

/** Changes when the form of our tars does, so that no older digest is taken for a new one's. */
const form = "tar 1";

function hashOf(facts: readonly unknown[]): string {
  return createHash("sha256")
    .update(JSON.stringify([form, ...facts]))
    .digest("hex");
}
