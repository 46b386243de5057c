import { UserError } from "../errors.js";
import type { CudaChoice } from "./accelerator/choice.js";
import { type Compatibility, cudaFacts } from "./accelerator/compatibility.js";
import { type CudaNeed, cudaNeeds } from "./accelerator/needs.js";
import { imageOf, leastFlavour, refuseTooLittle, systemCuda } from "./accelerator/nvidia-image.js";
import { refuseImpossible } from "./accelerator/possible.js";
import type { Requirement } from "./accelerator/requirement.js";
import { planTorch, type TorchInstall } from "./accelerator/torch.js";
import { compareVersions, majorOf } from "./accelerator/versions.js";

export interface BaseInput {
  python: string;
  required: readonly Requirement[];
  /** Requirements with hashes: uv.lock, or a requirements.txt that has them. */
  hashed: boolean;
  accelerator: "cpu" | "cuda";
  /** `linux/arm64`; `undefined` is the engine's own, taken to be linux/amd64. */
  platform: string | undefined;
  cuda: CudaChoice;
  /** `image.base`, and who named it. */
  base: { reference: string; namedBy: string } | undefined;
  /** `image.torch_index`. */
  torchIndex: string;
  /** Host of the package index that somebody has named. */
  ownIndex: string | undefined;
  /** It is a model without code, which onnxruntime runs. */
  onnx: boolean;
  data: Compatibility;
}

export interface BaseDecision {
  reference: string;
  /** One sentence for the user: why this one. */
  reason: string;
  /** The image that dependencies are installed in; `undefined` is the same one. */
  builder?: string;
  /** The image that Python comes from, where the base has none. */
  python?: string;
  torch?: TorchInstall;
  /** What the image needs of a machine with a GPU; without a version where nothing is known. */
  cuda?: {
    in: "wheels" | "image" | "unknown";
    version?: string;
    driver?: string;
    capabilities?: readonly [string, string];
  };
  /** Remarks for the user. */
  notes: readonly string[];
}

/** The base image of a project, the reason for it, and what follows from it. Throws UserError `incompatible`. */
export function decideBase(input: BaseInput): BaseDecision {
  const { python, required, accelerator, cuda, base, data } = input;
  const platform = (input.platform ?? "linux/amd64").split("/").slice(0, 2).join("/");
  const asked = cuda.kind === "asked" ? cuda : undefined;
  if (asked && accelerator !== "cuda")
    throw new UserError("usage", "CUDA was chosen for a project that computes on the CPU.", {
      hint: "Set `accelerator: cuda` in modelship.yaml, or use --cuda auto.",
    });
  if (base && asked?.flavour)
    throw new UserError(
      "usage",
      `${base.reference} is the base image, so CUDA's ${asked.flavour} image cannot be.`,
      {
        why: `It was named by ${base.namedBy}.`,
        hint: "Name the one that has both with --base, or leave one of them out.",
      },
    );
  const needs = cudaNeeds(required, data, python, platform);
  refuseImpossible({ required, needs, python, platform, cuda: asked?.version, accelerator, data });

  const slim = `python:${python}-slim-bookworm`;
  const torch = planTorch({ ...input, cuda: asked?.version, platform, setting: input.torchIndex });
  const extra = { ...(torch.install && { torch: torch.install }) };
  const needed = accelerator === "cuda" ? gpuNeeds(input, needs, asked?.version) : undefined;
  if (base) {
    const notes = [...torch.notes, ...cpuNotes(input, needs)];
    return {
      reference: base.reference,
      reason: `named by ${base.namedBy}`,
      ...extra,
      ...(needed && { cuda: needed }),
      notes,
    };
  }
  if (accelerator === "cpu" || !needed)
    return {
      reference: slim,
      reason: `the smallest official image with Python ${python} that wheels are made for`,
      ...extra,
      notes: [...torch.notes, ...cpuNotes(input, needs)],
    };
  return { ...withCuda(input, needs, needed, slim), ...extra, notes: torch.notes };
}

type Needed = NonNullable<BaseDecision["cuda"]>;

/** What the packages together need of a GPU: the newest CUDA that any of them has. */
function gpuNeeds(
  { data, cuda, required, onnx }: BaseInput,
  needs: readonly CudaNeed[],
  asked: string | undefined,
): Needed {
  const cpuOnly = required.map(({ name }) => name).filter((name) => name in data.cpuOnly);
  // Beside another package that has CUDA it may well be meant to compute on the CPU
  const useless = onnx ? cpuOnly.find((name) => name === "onnxruntime") : needs.length === 0 && cpuOnly[0];
  if (useless)
    throw new UserError("incompatible", `${useless} has no CUDA, and the project says accelerator: cuda.`, {
      hint: `Require ${data.cpuOnly[useless]} instead, or set \`accelerator: cpu\`.`,
    });
  const system = needs.filter(({ from }) => from === "image");
  const flavour = cuda.kind === "asked" && cuda.flavour !== undefined;
  const versions = (asked !== undefined ? [asked] : needs.map((need) => need.cuda)).flatMap((version) =>
    version === undefined ? [] : [cudaFacts(data, version)],
  );
  const newest = versions
    .filter((one) => one !== undefined)
    .sort((one, other) => compareVersions(one.version, other.version))
    .at(-1);
  const where = system.length > 0 || flavour ? "image" : needs.length > 0 ? "wheels" : "unknown";
  if (!newest) return { in: where };
  const { version, minimumDriver: driver, capabilities } = newest;
  return { in: where, version, driver, capabilities };
}

function withCuda(
  input: BaseInput,
  needs: readonly CudaNeed[],
  needed: Needed,
  slim: string,
): Omit<BaseDecision, "notes"> {
  const { cuda, data } = input;
  const asked = cuda.kind === "asked" ? cuda : undefined;
  const system = needs.filter(({ from }) => from === "image");
  const compiled = needs.filter(({ facts }) => facts.builder === "devel");
  if (cuda.kind === "none" && system.length > 0) refuseNone(system);
  if (cuda.kind === "none")
    return { reference: slim, reason: "no CUDA was asked for in the base", cuda: needed };
  if (system.length === 0 && asked?.flavour === undefined) {
    const reason = wheelsReason(needs, needed);
    if (compiled.length === 0) return { reference: slim, reason, cuda: needed };
    const release = systemCuda(needs, asked?.version ?? needed.version, data);
    return {
      reference: slim,
      reason: `${reason}; ${names(compiled)} is compiled in an image with nvcc, of which nothing stays`,
      builder: imageOf(release, "devel", false),
      python: slim,
      cuda: needed,
    };
  }
  const release = systemCuda(system, asked?.version, data);
  const least = leastFlavour(system);
  const flavour = asked?.flavour ?? least;
  refuseTooLittle(flavour, least, names(system));
  const cudnn = system.some(({ facts }) => facts.cudnn);
  const { version, minimumDriver: driver, capabilities } = release;
  return {
    reference: imageOf(release, flavour, cudnn),
    reason: systemReason(system, release, cudnn),
    ...(compiled.length > 0 && flavour !== "devel" && { builder: imageOf(release, "devel", cudnn) }),
    python: slim,
    cuda: { in: "image", version, driver, capabilities },
  };
}

function wheelsReason(needs: readonly CudaNeed[], needed: Needed): string {
  const carrying = needs.filter(({ from }) => from === "wheel");
  if (carrying.length === 0) return "nothing in the requirements is known to need a CUDA of the system";
  const version = needed.version ? ` ${needed.version}` : "";
  return `the wheels of ${names(carrying)} bring CUDA${version}, so a CUDA base would only add gigabytes`;
}

function systemReason(
  system: readonly CudaNeed[],
  release: { version: string; cudnn: string },
  cudnn: boolean,
): string {
  if (system.length === 0) return `CUDA ${release.version} of the system was asked for`;
  const also = cudnn ? ` and cuDNN ${release.cudnn}` : "";
  const verb = system.length === 1 ? "takes" : "take";
  const [bringing] = system.filter(
    ({ facts, release: known }) => facts.cudaIn === "extras" && known?.extras !== false,
  );
  const instead = bringing
    ? `; ${bringing.name}[${bringing.facts.extras.join(",")}] would do with the slim image`
    : "";
  return `${names(system)} ${verb} CUDA ${majorOf(release.version)}${also} from the system${instead}`;
}

function names(needs: readonly CudaNeed[]): string {
  return needs
    .map(({ name, requirement }) => [name, requirement.version].filter(Boolean).join(" "))
    .join(" and ");
}

function refuseNone(system: readonly CudaNeed[]): never {
  const extras = system[0]?.facts.extras.join(",");
  throw new UserError("incompatible", `${names(system)} needs a CUDA of the system, and --cuda is none.`, {
    hint: extras
      ? `Require ${system[0]?.name}[${extras}], which brings its own, or use --cuda auto.`
      : "Use --cuda auto.",
  });
}

/** CUDA in an image that computes on the CPU is gigabytes for nothing. */
function cpuNotes({ accelerator, hashed }: BaseInput, needs: readonly CudaNeed[]): string[] {
  if (accelerator === "cuda" || hashed) return [];
  return needs
    .filter(
      ({ name, from }) =>
        name !== "torch" && from !== "cpu" && name !== "tensorflow" && name !== "llama-cpp-python",
    )
    .map(
      ({ name }) =>
        `${name} is for CUDA, and the project computes on the CPU: another package may do, without gigabytes of CUDA.`,
    );
}
