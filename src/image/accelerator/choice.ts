import { UserError } from "../../errors.js";
import type { Flavour } from "./compatibility.js";

/** What `image.cuda` and `--cuda` ask for. */
export type CudaChoice = { kind: "auto" | "none" } | { kind: "asked"; version?: string; flavour?: Flavour };

export function parseCudaChoice(text: string): CudaChoice {
  if (text === "auto" || text === "none") return { kind: text };
  const [, version, flavour] = /^(?:(\d+\.\d+)-?)?(base|runtime|devel)?$/.exec(text) ?? [];
  if (version === undefined && flavour === undefined)
    throw new UserError("usage", `"${text}" is no choice of CUDA.`, {
      hint: "Write auto, none, a version such as 12.8, or base, runtime or devel.",
    });
  return {
    kind: "asked",
    ...(version !== undefined && { version }),
    ...(flavour !== undefined && { flavour: flavour as Flavour }),
  };
}
