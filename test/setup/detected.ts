import type { Detected } from "../../src/detect/detected.js";

/** A description as a reader gives it, with what a test does not care about left empty. */
export function detectedAs(given: Partial<Detected> & Pick<Detected, "kind">): Detected {
  return {
    confidence: "certain",
    summary: `a model of the kind ${given.kind}`,
    library: undefined,
    architecture: undefined,
    task: undefined,
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: ["/models/model.bin"],
    warnings: [],
    details: {},
    ...given,
  };
}
