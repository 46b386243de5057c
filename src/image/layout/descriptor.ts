import { type Descriptor, isDigest } from "../../registry/manifest.js";

/** What a layout's index, or an index in it, says of one manifest. */
export interface LayoutDescriptor extends Descriptor {
  annotations?: Readonly<Record<string, string>>;
  platform?: Readonly<Record<string, unknown>>;
}

/** An image, or an index of several, that a layout names. */
export interface LayoutEntry {
  /** The full name (`registry.example/you/digits:1.2.0`) where the layout has it, else what it has. */
  name: string | undefined;
  descriptor: LayoutDescriptor;
}

/** The full name of an image, as containerd and Docker keep it. */
export const nameAnnotation = "io.containerd.image.name";
/** Its tag, or whatever a tool calls it within the layout. */
export const refAnnotation = "org.opencontainers.image.ref.name";

/** `undefined` for what is no sound descriptor. */
export function descriptorOf(value: unknown): LayoutDescriptor | undefined {
  const { digest, mediaType, size, annotations, platform } = Object(value) as Record<string, unknown>;
  if (typeof digest !== "string" || !isDigest(digest) || typeof mediaType !== "string") return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
  const texts = Object.entries(Object(annotations)).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    digest,
    mediaType,
    size,
    ...(texts.length > 0 && { annotations: Object.fromEntries(texts) }),
    ...(typeof platform === "object" && platform !== null && { platform: { ...platform } }),
  };
}
