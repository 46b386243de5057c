import { UserError } from "../errors.js";
import type { ProjectFile } from "../project/files.js";
import { type TarFile, tarSize } from "./tar.js";

/** A file of the weights: where it is, and where it goes. */
export interface PlannedFile extends TarFile {
  /** Absolute, on this machine. */
  file: string;
}

/** What one layer holds, its files by the bytes of their paths. */
export interface LayerPlan {
  files: readonly PlannedFile[];
  /** Bytes of the tar, known before anything is read. */
  size: number;
}

/** A weight layer that is known: an uncompressed tar, so its digest is its diff id too. */
export interface WeightLayer {
  /** `sha256:<hex>` */
  digest: string;
  /** Bytes of the tar. */
  size: number;
  files: readonly WeightFile[];
}

export interface WeightFile {
  /** Absolute path in the container. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` of the file itself. A file that has a layer to itself may do without: the layer's digest tells it. */
  digest?: string | undefined;
}

/** A file of the weights whose own digest is known. */
export type DigestedFile = WeightFile & { digest: string };

/** From here on a file is a layer of its own: it is sent beside the others, and alone when it alone changes. */
const largeBytes = 64 * 1024 * 1024;
/** Small files share layers of up to this much, so that thousands of them are not sent one after the other. */
const sharedBytes = 512 * 1024 * 1024;
/** Engines stop at 125 layers or so; the code image needs some of them. */
const mostLayers = 40;

/** The model files of a project as they lie below `folder` of the container. */
export function weightFiles(files: readonly ProjectFile[], folder: string): PlannedFile[] {
  const below = folder.replace(/^\/+|\/+$/g, "");
  return files.map(({ path, file, size, executable }) => ({
    path: `${below}/${path}`,
    file,
    size,
    mode: executable ? 0o755 : 0o644,
  }));
}

/** The same layers for the same files, in whatever order they come; the largest layer is the first. */
export function planLayers(files: readonly PlannedFile[]): LayerPlan[] {
  for (const { path } of files) refuseOddName(path);
  const sorted = files.toSorted((one, other) => byBytes(one.path, other.path));
  const alone = sorted
    .filter((file) => file.size >= largeBytes)
    .map((file) => ({ files: [file], bytes: file.size }));
  const groups = [...alone, ...shared(sorted.filter((file) => file.size < largeBytes))];
  return balanced(groups.sort(largestFirst))
    .sort(largestFirst)
    .map(({ files }) => files.sort((one, other) => byBytes(one.path, other.path)))
    .map((files) => ({ files, size: tarSize(files) }));
}

interface Group {
  files: PlannedFile[];
  bytes: number;
}

/** Neighbours together, so that a file which changes takes along only what is near it. */
function shared(files: readonly PlannedFile[]): Group[] {
  const groups: Group[] = [];
  for (const file of files) {
    const last = groups.at(-1);
    if (last && last.bytes + file.size <= sharedBytes) {
      last.files.push(file);
      last.bytes += file.size;
    } else groups.push({ files: [file], bytes: file.size });
  }
  return groups;
}

/** At most `mostLayers`: what is over goes, largest first, to where there is the least. */
function balanced(groups: readonly Group[]): Group[] {
  const layers = groups.slice(0, mostLayers);
  for (const { files, bytes } of groups.slice(mostLayers)) {
    const least = layers.reduce((one, other) => (other.bytes < one.bytes ? other : one));
    least.files.push(...files);
    least.bytes += bytes;
  }
  return layers;
}

function largestFirst(one: Group, other: Group): number {
  return other.bytes - one.bytes || byBytes(one.files[0]?.path ?? "", other.files[0]?.path ?? "");
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** An engine takes `.wh.x` for the removal of `x`; the other names mean different files to different systems. */
function refuseOddName(path: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (!/(^|\/)\.wh\.|[\u0000-\u001f\u007f\\]/.test(path)) return;
  throw new UserError("model_files", `The model file ${JSON.stringify(path)} cannot be in an image.`, {
    why: "Names that begin with `.wh.`, and names with a backslash or a control character, have a meaning of their own there.",
    hint: "Rename the file, or list it in .dockerignore.",
  });
}
