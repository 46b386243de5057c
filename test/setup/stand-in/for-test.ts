import { onTestFinished } from "vitest";
import { type StandIn, type StandInOptions, startStandIn } from "./registry.js";

export type { StandIn } from "./registry.js";

/** A stand-in that ends with the test. */
export async function standIn(options?: StandInOptions): Promise<StandIn> {
  const started = await startStandIn(options);
  onTestFinished(started.close);
  return started;
}
