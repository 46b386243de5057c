import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Blob, BlobReading } from "../registry/blob.js";
import type { Digests } from "./digests.js";
import { changed } from "./identity.js";
import type { DigestedFile, LayerPlan, PlannedFile, WeightFile, WeightLayer } from "./layers.js";
import { inTurn, type Learned, read, readThrough, type Watch } from "./reading.js";
import { type KnownFile, lookAt } from "./tape.js";
import { tarParts } from "./tar.js";
import { keepYoungGenerationSmall } from "./young-generation.js";

/** A planned file as it is now. */
type LayerFile = PlannedFile & KnownFile;

export interface OpenOptions {
  /** Learns the own digest of a file that has a layer to itself too, which costs as much as the layer's. */
  ownDigests?: boolean;
}

/** The layers of these plans, with what is remembered of them. Throws UserError `file_failed`, naming the file. */
export function openLayers(
  plans: readonly LayerPlan[],
  digests: Digests,
  options: OpenOptions = {},
): Promise<Layer[]> {
  keepYoungGenerationSmall();
  return Promise.all(
    plans.map(async (plan) => {
      const files = await Promise.all(
        plan.files.map(async (file) => {
          const found = await lookAt(file.file);
          if (found.size !== file.size) throw changed(file.file);
          return { ...file, ...found };
        }),
      );
      return new Layer(plan, files, digests, options);
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
  /** Whether a reading learns what the files' own digests are. */
  private readonly wantsFiles: boolean;
  private wholeDigest: string | undefined;
  private readonly own = new Map<KnownFile, string>();

  constructor(
    plan: LayerPlan,
    files: readonly LayerFile[],
    digests: Digests,
    { ownDigests = false }: OpenOptions = {},
  ) {
    const [first] = files;
    this.title = files.length === 1 && first ? basename(first.path) : `${files.length} model files`;
    this.plan = plan;
    this.contents = files;
    this.digests = digests;
    this.wantsFiles = ownDigests || files.length > 1;
    this.name = `layer:${hashOf(files.map(({ path, file }) => [path, file]))}`;
    this.identity = hashOf(files.map(({ path, mode, identity }) => [path, mode, identity]));
    this.recall();
  }

  get size(): number {
    return this.plan.size;
  }

  get digest(): string | undefined {
    return this.wholeDigest;
  }

  /** A complete reading without a known digest finds it, and those of the files that are wanted, and remembers them. */
  open(from = 0): BlobReading {
    return read(tarParts(this.contents), {
      from,
      digest: this.digest,
      wanted: (file) => this.wantsFiles && !this.own.has(file),
      learn: (learned) => this.learn(learned),
    });
  }

  /** The digest, remembered or from one reading; a few layers are read at once. */
  async known(watch: Watch = {}): Promise<WeightLayer> {
    await inTurn(async () => {
      if (this.digest === undefined) await readThrough(this.open(), watch);
    });
    const { digest, size } = this;
    if (digest === undefined) throw new Error("a layer was read and not learned");
    return { digest, size, files: this.contents.map((file) => this.describe(file)) };
  }

  /** The files with their own digests; what no reading has learned is read. */
  async digestedFiles(): Promise<DigestedFile[]> {
    return Promise.all(
      this.contents.map(async (file) => {
        const digest = this.own.get(file) ?? (await this.digests.of(file.file));
        this.own.set(file, digest);
        return { ...this.describe(file), digest };
      }),
    );
  }

  /** A file that has the layer to itself goes by the layer's digest, so that an image is the same however it is made. */
  private describe(file: LayerFile): WeightFile {
    const { path, size } = file;
    const digest = this.contents.length > 1 ? this.own.get(file) : undefined;
    return { path: `/${path}`, size, ...(digest !== undefined && { digest }) };
  }

  private recall(): void {
    const remembered = this.digests.recall(this.name, this.identity);
    const { files = [] } = remembered ?? {};
    for (const [index, file] of this.contents.entries()) {
      const digest = files[index] ?? this.digests.recall(file.file, file.identity)?.digest;
      if (digest !== undefined) this.own.set(file, digest);
    }
    const isWhole = this.contents.length === 1 || files.length === this.contents.length;
    if (remembered && isWhole) this.wholeDigest = remembered.digest;
  }

  private async learn({ digest, files: hashed, settled }: Learned): Promise<void> {
    for (const [file, own] of hashed) this.own.set(file, own);
    this.wholeDigest = digest;
    if (!settled) return;
    for (const [file, own] of hashed) this.digests.rememberFile(file, own);
    const files = this.contents.flatMap((file) => this.own.get(file) ?? []);
    const { identity } = this;
    this.digests.remember(this.name, {
      identity,
      digest,
      ...(files.length === this.contents.length && { files }),
    });
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
