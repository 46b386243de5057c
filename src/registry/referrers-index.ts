import { type Descriptor, isDigest, manifestTypes } from "./manifest.js";

/** An entry of the list of what refers to an image. */
export interface Referrer extends Descriptor {
  artifactType?: string;
  annotations?: Readonly<Record<string, string>>;
}

const [, indexType] = manifestTypes;
/** More entries than any image has; a list beyond it is cut. */
const mostEntries = 10_000;

/** The entries of an index; what is no sound entry is passed over, and so is anything that is no index. */
export function readReferrers(body: Buffer | undefined): Referrer[] {
  const { manifests } = parse(body);
  if (!Array.isArray(manifests)) return [];
  return manifests.slice(0, mostEntries).flatMap((entry) => readEntry(entry) ?? []);
}

/** The index with one more entry; what others wrote stays, known to us or not. */
export function mergeReferrer(body: Buffer | undefined, entry: Referrer): Buffer {
  const { manifests, ...rest } = parse(body);
  const entries = Array.isArray(manifests) ? manifests : [];
  return Buffer.from(
    JSON.stringify({ ...rest, schemaVersion: 2, mediaType: indexType, manifests: [...entries, entry] }),
  );
}

function parse(body: Buffer | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body?.toString("utf8") ?? "{}");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function readEntry(value: unknown): Referrer | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { digest, mediaType, size, artifactType, annotations } = value as Record<string, unknown>;
  if (typeof digest !== "string" || !isDigest(digest) || typeof mediaType !== "string") return undefined;
  if (!Number.isSafeInteger(size) || Number(size) < 0) return undefined;
  const texts = Object.entries(annotations ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    digest,
    mediaType,
    size: Number(size),
    ...(typeof artifactType === "string" && { artifactType }),
    ...(texts.length > 0 && { annotations: Object.fromEntries(texts) }),
  };
}
