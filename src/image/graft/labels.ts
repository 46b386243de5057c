import { createHash } from "node:crypto";
import { Label } from "../label-names.js";
import type { WeightLayer } from "./model.js";

/** What a code image's labels become when weights are grafted onto it; its own key stays to be found. */
export function graftLabels(codeKey: string, weights: readonly WeightLayer[]): Record<string, string> {
  return {
    [Label.key]: graftedKey(
      codeKey,
      weights.map(({ digest }) => digest),
    ),
    [Label.code]: codeKey,
    [Label.weights]: "baked",
  };
}

/** Content key of a grafted image, `sha256:<hex>`: the code's key and the layers' digests are all that it depends on. */
export function graftedKey(codeKey: string, layers: readonly string[]): string {
  return `sha256:${createHash("sha256")
    .update(JSON.stringify([codeKey, ...layers]))
    .digest("hex")}`;
}
