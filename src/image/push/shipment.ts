import type { Attachment } from "../attest/attach.js";
import type { GraftedManifest } from "../graft/manifest.js";
import type { NamedFace } from "./faces.js";
import type { Target } from "./target.js";

/** Something that can be pushed to one registry after the other. */
export interface Shipment {
  /** Tag for references that have none. */
  version: string;
  /** Where to, when nobody says. */
  repository: string | null;
  /** Sends everything but the tag; what comes back is what the tag will name. */
  ship(target: Target): Promise<Shipped>;
  /** Lets go of what it reads from. */
  close?(): Promise<void>;
}

export interface Shipped {
  manifest: Pick<GraftedManifest, "mediaType" | "body" | "digest">;
  /** What the same weights are published as besides. */
  faces: readonly NamedFace[];
  /** What is put beside the image. */
  documents: readonly Attachment[];
}

/** A failure of one part stops the others that send to the same target. */
export async function stopping<T>(target: Target, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    target.fail(error);
    throw error;
  }
}
