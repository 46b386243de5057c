import type { GraftedManifest } from "../graft/manifest.js";
import type { Target } from "./target.js";

/** Something that can be pushed to one registry after the other. */
export interface Shipment {
  /** Tag for references that have none. */
  version: string;
  /** Where to, when nobody says. */
  repository: string | null;
  /** Sends everything but the tag; what comes back is what the tag will name. */
  ship(target: Target): Promise<Shipped>;
}

export type Shipped = Pick<GraftedManifest, "mediaType" | "body" | "digest">;

/** A failure of one part stops the others that send to the same target. */
export async function stopping<T>(target: Target, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    target.fail(error);
    throw error;
  }
}
