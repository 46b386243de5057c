import type { Compatibility, Flavour, PackageFacts, PackageRelease } from "./compatibility.js";
import type { Requirement } from "./requirement.js";
import { allows, compareVersions, majorOf, minorOf } from "./versions.js";

/** What one package of the project needs of CUDA. */
export interface CudaNeed {
  name: string;
  requirement: Requirement;
  facts: PackageFacts;
  /** What is known of the version that will be installed. */
  release: PackageRelease | undefined;
  /** `wheel`: it comes with its CUDA; `image`: the base has to have it; `cpu`: as it is asked for it has none. */
  from: "wheel" | "image" | "cpu";
  /** `12.8`, or `12` where any of its minor versions will do. */
  cuda: string | undefined;
  cudnn: string | undefined;
  /** Of a system CUDA. */
  flavour: Flavour;
}

/** What is needed, in the order of the requirements; packages that nothing is known of are left out. */
export function cudaNeeds(
  required: readonly Requirement[],
  data: Compatibility,
  python: string,
  platform: string,
): CudaNeed[] {
  const needs = required.flatMap((requirement): CudaNeed[] => {
    const facts = data.packages[requirement.name];
    if (!facts) return [];
    const release = releaseOf(requirement, facts, python, platform);
    const cuda = localCuda(requirement) ?? release?.cuda ?? extraCuda(requirement) ?? facts.cuda;
    const from = origin(requirement, facts, required);
    const { name } = requirement;
    return [{ name, requirement, facts, release, from, cuda, cudnn: release?.cudnn, flavour: facts.image }];
  });
  const torch = needs.find(({ name, from }) => name === "torch" && from === "wheel");
  return needs.map((need) => (torch && sharesTorchs(need, torch) ? { ...need, from: "wheel" } : need));
}

/** The release that a requirement leads to: of its minor version, else the newest that it allows and that has wheels. */
export function releaseOf(
  { version, specifier }: Requirement,
  { releases }: PackageFacts,
  python: string,
  platform: string,
): PackageRelease | undefined {
  if (version !== undefined) return releases.find((one) => minorOf(one.version) === minorOf(version));
  const newest = releases.at(-1);
  const beyond = newest && /(^|,)(>=?|~=)/.test(specifier) && !allows(specifier, newest.version);
  const fitting = releases.filter((one) => allows(specifier, one.version));
  if (beyond && fitting.length === 0) return undefined;
  return fitting
    .filter((one) => hasWheels(one, python, platform))
    .sort((one, other) => compareVersions(one.version, other.version))
    .at(-1);
}

export function hasWheels(release: PackageRelease, python: string, platform: string): boolean {
  return (release.python?.includes(python) ?? true) && (release.platforms?.includes(platform) ?? true);
}

function origin(
  requirement: Requirement,
  facts: PackageFacts,
  required: readonly Requirement[],
): CudaNeed["from"] {
  if (/\+cpu$/.test(requirement.version ?? "")) return "cpu";
  if (facts.cudaIn === "wheel") return "wheel";
  if (facts.cudaIn === "extras") {
    const asked = (extra: string) => requirement.extras.includes(extra);
    // A package with cuDNN has an extra for each of the two.
    if (facts.cudnn ? facts.extras.every(asked) : facts.extras.some(asked)) return "wheel";
    const named = (pattern: RegExp) => required.some(({ name }) => pattern.test(name));
    if (named(/^nvidia-cuda-runtime/) && (!facts.cudnn || named(/^nvidia-cudnn/))) return "wheel";
    if (facts.without === "cpu")
      return requirement.extras.some((extra) => extra.endsWith("-local")) ? "image" : "cpu";
  }
  return "image";
}

/** onnxruntime-gpu can use the libraries that PyTorch has brought, if they are of its major version. */
function sharesTorchs(need: CudaNeed, torch: CudaNeed): boolean {
  if (need.name !== "onnxruntime-gpu" || need.from !== "image" || !need.release?.extras) return false;
  return need.cuda !== undefined && torch.cuda !== undefined && majorOf(need.cuda) === majorOf(torch.cuda);
}

/** `2.8.0+cu126` is for CUDA 12.6. */
function localCuda({ version }: Requirement): string | undefined {
  const [, major, minor] = /\+cu(\d\d)(\d+)$/.exec(version ?? "") ?? [];
  return major && `${major}.${minor}`;
}

/** `jax[cuda12]` is for CUDA 12. */
function extraCuda({ extras }: Requirement): string | undefined {
  return extras.map((extra) => /^cuda(\d+)/.exec(extra)?.[1]).find((major) => major !== undefined);
}
