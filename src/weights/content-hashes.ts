import { Hasher, type Stretch } from "./hash-threads.js";
import type { Cut, KnownFile } from "./tape.js";

/** The digest of everything that is read, and of the wanted files in it by themselves. */
export class ContentHashes {
  /** `sha256:<hex>` of all of it once the last update is done, empty until then. */
  whole = "";
  readonly files = new Map<KnownFile, string>();
  private readonly wholeHasher: Hasher;
  /** A hasher of its own, so that one file's two digests may be computed on two cores. */
  private readonly fileHasher: Hasher;
  private readonly wanted: (file: KnownFile) => boolean;

  constructor(memory: SharedArrayBuffer, wanted: (file: KnownFile) => boolean) {
    this.wholeHasher = new Hasher(memory);
    this.fileHasher = new Hasher(memory);
    this.wanted = wanted;
  }

  /** The bytes at `at` of the memory, and where the files are in them. They must stay until this is done. */
  async update(piece: Stretch, cuts: readonly Cut[]): Promise<void> {
    const ours = cuts.filter(({ file }) => this.wanted(file));
    const ended = ours.filter(({ last }) => last);
    const stretches = ours.map(({ at, length, last }) => ({ at: piece.at + at, length, last }));
    const [whole, files] = await Promise.all([
      this.wholeHasher.update([piece]),
      stretches.length > 0 ? this.fileHasher.update(stretches) : [],
    ]);
    this.whole = whole[0] ?? "";
    for (const [index, digest] of files.entries()) {
      const cut = ended[index];
      if (cut) this.files.set(cut.file, digest);
    }
  }

  close(): void {
    this.wholeHasher.close();
    this.fileHasher.close();
  }
}
