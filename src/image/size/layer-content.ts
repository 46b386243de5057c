import type { LayerFile } from "./layer-files.js";

/** What only developers need of a package. */
export type Spare = "tests" | "bytecode" | "headers, stubs and static libraries";

export interface SharedLibrary {
  name: string;
  size: number;
  /** What it came with: a folder of site-packages. */
  owner: string;
}

export interface DebianPackage {
  name: string;
  /** Bytes, as Debian counts them. */
  size: number;
}

/** More names than an image has are not kept apart. */
const mostNames = 20_000;
const mostRecordBytes = 16 * 1024 * 1024;
const largeLibrary = 1_000_000;

const sitePackages = /(?:^|\/)lib\/python3[\d.]*\/(?:site|dist)-packages\/(.+)$/;

/** Adds up the files of one layer, by what they belong to; its memory does not grow with the number of files. */
export class LayerContent {
  /** Bytes of all files. */
  total = 0;
  /** Bytes by what stands in site-packages: the first two names of a path. */
  readonly packages = new Map<string, number>();
  /** Which distribution has installed them. */
  readonly owners = new Map<string, string>();
  /** Version of each distribution. */
  readonly versions = new Map<string, string>();
  /** Bytes outside site-packages, by the first two names of a path. */
  readonly folders = new Map<string, number>();
  readonly spare = new Map<Spare, number>();
  readonly libraries: SharedLibrary[] = [];
  /** Debian's packages that are installed once this layer is there; `undefined` where it says nothing of them. */
  debian: DebianPackage[] | undefined;
  /** Bytes under the folder of the code and its model files. */
  readonly app = new Map<string, number>();

  private recordBytes = 0;

  async take({ path, size, text }: LayerFile): Promise<void> {
    this.total += size;
    const inside = sitePackages.exec(path)?.[1];
    if (inside !== undefined) await this.takePackaged(inside, size, text);
    else if (path.startsWith("app/")) add(this.app, path.slice("app/".length), size);
    else add(this.folders, path.split("/").slice(0, 2).join("/"), size);
    if (path === "var/lib/dpkg/status") this.debian = readStatus(await text(mostRecordBytes));
  }

  private async takePackaged(path: string, size: number, text: LayerFile["text"]): Promise<void> {
    const names = path.split("/");
    const key = names.slice(0, 2).join("/");
    add(this.packages, key, size);
    const spare = spareOf(path);
    if (spare) add(this.spare, spare, size);
    const name = names.at(-1) ?? "";
    if (size >= largeLibrary && /\.so(\.|$)/.test(name) && this.libraries.length < mostNames)
      this.libraries.push({ name, size, owner: names[0] ?? "" });
    const record = /^(.+?)-([^-/]+)\.dist-info\/RECORD$/.exec(path);
    if (!record || this.recordBytes + size > mostRecordBytes * 4) return;
    this.recordBytes += size;
    const distribution = normalised(record[1] ?? "");
    this.versions.set(distribution, record[2] ?? "");
    for (const line of (await text(mostRecordBytes)).split("\n")) {
      const owned = line.split(",")[0]?.split("/").slice(0, 2).join("/");
      if (owned && !owned.startsWith("..") && this.owners.size < mostNames)
        this.owners.set(owned, distribution);
    }
  }
}

/** Bytes by distribution, the largest first; what no record names goes by its folder. */
export function byDistribution(
  content: LayerContent,
): { name: string; version: string | null; bytes: number }[] {
  const sizes = new Map<string, number>();
  const folders = new Map<string, string>();
  for (const [key, owner] of content.owners)
    if (!folders.has(key.split("/")[0] ?? "")) folders.set(key.split("/")[0] ?? "", owner);
  for (const [key, bytes] of content.packages) {
    const [folder = ""] = key.split("/");
    const info = /^(.+?)-[^-]+\.dist-info$/.exec(folder)?.[1];
    add(sizes, content.owners.get(key) ?? (info ? normalised(info) : (folders.get(folder) ?? folder)), bytes);
  }
  return [...sizes]
    .map(([name, bytes]) => ({ name, version: content.versions.get(name) ?? null, bytes }))
    .sort((one, other) => other.bytes - one.bytes || (one.name < other.name ? -1 : 1));
}

function add(sums: Map<string, number>, key: string, bytes: number): void {
  const kept = sums.has(key) || sums.size < mostNames ? key : "(others)";
  sums.set(kept, (sums.get(kept) ?? 0) + bytes);
}

function spareOf(path: string): Spare | undefined {
  if (/(^|\/)tests\//.test(path)) return "tests";
  if (path.endsWith(".pyc")) return "bytecode";
  if (/(^|\/)include\/|\.(pyi|pyx|pxd|pxi|a|h|hpp|c|cpp|cu)$/.test(path))
    return "headers, stubs and static libraries";
  return undefined;
}

function normalised(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

function readStatus(text: string): DebianPackage[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const name = /^Package: (\S+)/m.exec(paragraph)?.[1];
    const installed = /^Status: \S+ \S+ installed/m.test(paragraph);
    const kilobytes = Number(/^Installed-Size: (\d+)/m.exec(paragraph)?.[1] ?? 0);
    return name && installed ? [{ name, size: kilobytes * 1024 }] : [];
  });
}
