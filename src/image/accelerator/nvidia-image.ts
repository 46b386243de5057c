import { UserError } from "../../errors.js";
import {
  type Compatibility,
  type CudaRelease,
  cudaFacts,
  cudaVersions,
  type Flavour,
} from "./compatibility.js";
import type { CudaNeed } from "./needs.js";
import { majorOf } from "./versions.js";

/** NVIDIA's images with a CUDA for the whole system: `base` has the runtime, `runtime` the libraries, `devel` nvcc. */
const order: readonly Flavour[] = ["base", "runtime", "devel"];

/** The least that has all that they need. */
export function leastFlavour(needs: readonly CudaNeed[]): Flavour {
  return order[Math.max(0, ...needs.map((need) => order.indexOf(need.flavour)))] ?? "base";
}

/** The CUDA of an image: the one that was asked for, else the recommended one that has what is needed. */
export function systemCuda(
  needs: readonly CudaNeed[],
  asked: string | undefined,
  data: Compatibility,
): CudaRelease & { version: string } {
  const wanted = asked ?? needs.map(({ cuda }) => cuda).find((one) => one !== undefined);
  const major = majorOf(wanted ?? Object.keys(data.recommended).sort().at(-2) ?? "12");
  const cudnn = needs.map((need) => need.cudnn).find((one) => one !== undefined);
  const recommended = cudaFacts(data, asked ?? major);
  const fits = (one: CudaRelease) => cudnn === undefined || one.cudnn === majorOf(cudnn);
  if (recommended && (asked !== undefined || fits(recommended))) return recommended;
  const other = cudaVersions(data)
    .filter((version) => majorOf(version) === major && fits(data.cuda[version] as CudaRelease))
    .at(-1);
  const found = cudaFacts(data, other ?? major);
  if (found) return found;
  throw new UserError(
    "incompatible",
    `There is no image of CUDA ${major}${cudnn ? ` with cuDNN ${cudnn}` : ""} that is known.`,
    {
      hint: "Name a base image of your own with --base, or describe one in a file that `image.compatibility` names.",
    },
  );
}

export function imageOf(release: CudaRelease, flavour: Flavour, cudnn: boolean): string {
  // Images of CUDA with cuDNN 8 say so, later ones do not; `base` has none.
  const withCudnn = !cudnn || flavour === "base" ? "" : release.cudnn === "8" ? "cudnn8-" : "cudnn-";
  return `nvidia/cuda:${release.image}-${withCudnn}${flavour}-${release.distribution}`;
}

export function refuseTooLittle(flavour: Flavour, least: Flavour, names: string): void {
  if (order.indexOf(flavour) >= order.indexOf(least)) return;
  throw new UserError("incompatible", `CUDA's ${flavour} image is too little for ${names}.`, {
    why: flavour === "base" ? "It has the CUDA runtime alone, without the libraries." : "It has no compiler.",
    hint: `Use --cuda ${least}, or --cuda auto.`,
  });
}
