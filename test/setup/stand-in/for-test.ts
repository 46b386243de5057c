import { onTestFinished } from "vitest";
import { type StandIn, type StandInOptions, startStandIn } from "./registry.js";

export type { StandIn } from "./registry.js";

/** Bytes of a piece: as few as will do, as each test sends several. */
export const piece = 16 * 1024 * 1024;

/** A stand-in that ends with the test. */
export async function standIn(options?: StandInOptions): Promise<StandIn> {
  const started = await startStandIn({ piece, ...options });
  onTestFinished(started.close);
  return started;
}
