import type { Compatibility } from "./compatibility.js";
import { releaseOf } from "./needs.js";
import type { Requirement } from "./requirement.js";
import { minorOf } from "./versions.js";

/** PyTorch from an index of its own, before everything else. */
export interface TorchInstall {
  /** The only index that is asked: with two, whoever has the higher version of a name would win. */
  index: string;
  /** What to install from there, as requirements. */
  packages: readonly string[];
  /** What it is installed for: `the CPU`, `CUDA 12.6`. */
  made: string;
  /** Without that index, the usual one will do, and it is said. */
  optional: boolean;
}

export interface TorchInput {
  required: readonly Requirement[];
  accelerator: "cpu" | "cuda";
  /** `--cuda 12.6`. */
  cuda: string | undefined;
  python: string;
  platform: string;
  /** `image.torch_index`. */
  setting: string;
  /** Where packages come from, when somebody has said so. */
  ownIndex: string | undefined;
  /** Requirements with hashes say which files, so that another wheel cannot take their place. */
  hashed: boolean;
  data: Compatibility;
}

export interface TorchPlan {
  install?: TorchInstall;
  notes: string[];
}

/**
 * Where PyTorch comes from. The public index has it with CUDA inside (gigabytes); without, and for other versions of
 * CUDA, PyTorch has indexes of its own. Such an index is asked alone and first, so that no name is ever looked for in
 * two places, and what it gives is what the requirements then find installed.
 */
export function planTorch(input: TorchInput): TorchPlan {
  const { required, accelerator, cuda, setting, ownIndex, hashed, data, platform } = input;
  const named = required.find(({ name }) => name === "torch");
  const packages = torchPackages(required, data);
  if (packages.length === 0) return { notes: [] };
  if (named?.version?.includes("+") && (ownIndex || hashed)) return { notes: [] };
  const facts = data.packages.torch;
  const release = named && facts && releaseOf(named, facts, input.python, platform);
  const wanted = accelerator === "cpu" ? data.torchIndexes.cpu : cuda && `cu${cuda.replace(".", "")}`;
  if (wanted === undefined || setting === "none") return { notes: [] };
  if (accelerator === "cuda" && release?.cuda === cuda) return { notes: [] };
  // There the usual wheels have no CUDA.
  const plain = release?.cudaPlatforms !== undefined && !release.cudaPlatforms.includes(platform);
  if (accelerator === "cpu" && plain) return { notes: [] };

  const made = accelerator === "cpu" ? "the CPU" : `CUDA ${cuda}`;
  if (hashed)
    return {
      notes: [lockedNote(accelerator, made, required, packages)].filter((note) => note !== undefined),
    };
  const explicit = setting !== "auto";
  if (!explicit && ownIndex) {
    const brings =
      accelerator === "cpu"
        ? "where that has PyPI's wheels, it brings CUDA, which is gigabytes"
        : `it may be for another CUDA than ${cuda}`;
    return {
      notes: [
        `PyTorch comes from ${ownIndex}, as everything does: ${brings}. image.torch_index can name an index of wheels for ${made}.`,
      ],
    };
  }
  const index = explicit ? setting : `${data.torchIndexes.root}/${wanted}`;
  const optional = !explicit && accelerator === "cpu";
  return { install: { index, packages, made, optional }, notes: [] };
}

/** torch, and what has to match it; torch alone where only something else of the requirements needs it. */
function torchPackages(required: readonly Requirement[], data: Compatibility): string[] {
  const family = ["torch", ...data.torchCompanions];
  const named = required.filter(({ name }) => family.includes(name)).map(({ text }) => text);
  if (named.length > 0) return named;
  const dependent = required.some(
    ({ name, extras }) =>
      data.torchDependents.includes(name) || (name === "transformers" && extras.includes("torch")),
  );
  return dependent ? ["torch"] : [];
}

function lockedNote(
  accelerator: "cpu" | "cuda",
  made: string,
  required: readonly Requirement[],
  packages: readonly string[],
): string | undefined {
  const torch = required.find(({ name }) => name === "torch");
  if (torch?.version?.includes("+")) return undefined;
  const cudaLocked = required.filter(({ name }) => /^nvidia-|^cuda-toolkit$/.test(name)).length;
  if (accelerator === "cpu" && cudaLocked === 0 && !torch) return undefined;
  const many = cudaLocked > 0 ? ` and ${cudaLocked} packages of CUDA` : "";
  return `The lock names ${packages[0]}${many}, and is installed as it is. For wheels for ${made}, lock ${torch ? `torch ${minorOf(torch.version ?? "")}` : "it"} from ${accelerator === "cpu" ? "the index for the CPU" : "that index"}.`;
}
