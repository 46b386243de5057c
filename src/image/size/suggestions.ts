import type { ImageParts } from "./parts.js";

export interface Suggestion {
  /** What is there, in one sentence. */
  message: string;
  /** What to do. */
  hint: string;
  /** Bytes that it would save; `null` where that cannot be told. */
  saves: number | null;
}

export interface SuggestionInput extends ImageParts {
  accelerator: string | undefined;
  /** Name of the base image. */
  base: string | undefined;
  profile: "default" | "edge";
}

/** Less than that is not worth a line. */
const worthwhile = 2_000_000;

/** What would make an image smaller, the most worthwhile first. */
export function suggestionsFor(input: SuggestionInput): Suggestion[] {
  return [
    ...cudaForNothing(input),
    ...twice(input),
    ...forDevelopers(input),
    ...compilers(input),
    ...largeBase(input),
    ...spareFiles(input),
    ...sameLibraries(input),
    ...largeCode(input),
    ...largeGraph(input),
  ]
    .filter(({ saves }) => saves === null || saves >= worthwhile)
    .sort((one, other) => (other.saves ?? 0) - (one.saves ?? 0));
}

function cudaForNothing({ accelerator, packages }: SuggestionInput): Suggestion[] {
  if (accelerator === "cuda") return [];
  const cuda = packages.filter(({ name }) => /^(nvidia-|cuda-|triton$|jax-cuda|onnxruntime-gpu$)/.test(name));
  const saves = sum(cuda);
  if (saves === 0) return [];
  const gpuRuntime = cuda.some(({ name }) => name === "onnxruntime-gpu");
  return [
    {
      message: `The project computes on the CPU, and ${some(cuda.map(({ name }) => name))} ${cuda.length === 1 ? "is" : "are"} for CUDA.`,
      hint: gpuRuntime
        ? "Require onnxruntime instead of onnxruntime-gpu."
        : "Build where PyTorch's index for the CPU can be reached, or name one with image.torch_index; a lock has to name it itself.",
      saves,
    },
  ];
}

const families: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^opencv-(contrib-)?python(-headless)?$/, "Keep opencv-python-headless alone: a service has no screen."],
  [/^onnxruntime(-gpu)?$/, "Keep the one that the accelerator needs."],
  [/^tensorflow(-cpu)?$/, "Keep the one that the accelerator needs."],
  [/^psycopg2(-binary)?$/, "Keep one of them."],
];

function twice({ packages }: SuggestionInput): Suggestion[] {
  return families.flatMap(([pattern, hint]) => {
    const found = packages.filter(({ name }) => pattern.test(name));
    if (found.length < 2) return [];
    return [
      {
        message: `${some(found.map(({ name }) => name))} are the same library.`,
        hint,
        saves: sum(found) - Math.min(...found.map(({ bytes }) => bytes)),
      },
    ];
  });
}

const development =
  /^(pytest(-.*)?|jupyter(lab.*|-.*)?|notebook|ipykernel|ipython|black|flake8|mypy|ruff|pylint|pre-commit|sphinx|tensorboard|debugpy|coverage)$/;

function forDevelopers({ packages }: SuggestionInput): Suggestion[] {
  const found = packages.filter(({ name }) => development.test(name));
  if (found.length === 0) return [];
  return [
    {
      message: `${some(found.map(({ name }) => name))} ${found.length === 1 ? "is" : "are"} for developing.`,
      hint: "Move them to requirements-dev.txt, or to a development group.",
      saves: sum(found),
    },
  ];
}

function compilers({ system }: SuggestionInput): Suggestion[] {
  const found = system.filter(({ name }) =>
    /-dev$|^(gcc|g\+\+|cpp|clang|llvm|binutils|make|cmake|git|build-essential)(-|$)/.test(name),
  );
  if (found.length === 0) return [];
  return [
    {
      message: `${some(found.map(({ name }) => name))} ${found.length === 1 ? "is" : "are"} for compiling.`,
      hint: "Leave them out of system_packages where the model runs without them: require wheels, or make them beforehand.",
      saves: found.reduce((bytes, { size }) => bytes + size, 0),
    },
  ];
}

/** The official slim images unpacked, give or take. */
const slim = 150_000_000;

function largeBase({ base, parts }: SuggestionInput): Suggestion[] {
  const bytes = parts.find(({ name }) => name === "base")?.bytes ?? 0;
  if (base?.startsWith("nvidia/cuda:")) {
    if (!base.includes("-devel-")) return [];
    return [
      {
        message: "The base has CUDA's compiler.",
        hint: "Use `image.cuda: runtime` where nothing is compiled while the model runs.",
        saves: null,
      },
    ];
  }
  if (bytes < 2 * slim) return [];
  return [
    {
      message: `The base image ${base ?? ""} is large.`.replace("  ", " "),
      hint: "Leave image.base out for the slim image of the project's Python.",
      saves: bytes - slim,
    },
  ];
}

function spareFiles({ spare, profile }: SuggestionInput): Suggestion[] {
  if (profile === "edge" || spare.size === 0) return [];
  const kinds = [...spare].sort(([, one], [, other]) => other - one);
  return [
    {
      message: `The packages bring ${kinds.map(([kind]) => kind).join(", ")} that a service does not need.`,
      hint: "`image.profile: edge` leaves them out (without bytecode a service starts more slowly).",
      saves: kinds.reduce((bytes, [, one]) => bytes + one, 0),
    },
  ];
}

function sameLibraries({ libraries }: SuggestionInput): Suggestion[] {
  const groups = new Map<string, { owners: string[]; size: number }>();
  for (const { name, size, owner } of libraries) {
    // Wheels put a digest into the names of what they bring.
    const key = `${name.replace(/-[0-9a-f]{8}(?=[.-])/g, "").replace(/\.so.*$/, "")} ${size}`;
    const group = groups.get(key) ?? { owners: [], size };
    group.owners.push(owner.replace(/\.libs$/, ""));
    groups.set(key, group);
  }
  return [...groups].flatMap(([key, { owners, size }]) => {
    if (owners.length < 2) return [];
    return [
      {
        message: `${key.split(" ")[0]} is there ${owners.length} times, with ${some([...new Set(owners)])}.`,
        hint: "Each wheel brings its own: one package less that needs it is one less.",
        saves: size * (owners.length - 1),
      },
    ];
  });
}

function largeCode({ code, parts }: SuggestionInput): Suggestion[] {
  const bytes = parts.find(({ name }) => name === "code")?.bytes ?? 0;
  if (bytes < 20_000_000) return [];
  return [
    {
      message: `The code has large files: ${some(code.slice(0, 3).map(({ path }) => path))}.`,
      hint: "List in .dockerignore what the service does not read, or point model.files at the weights.",
      saves: null,
    },
  ];
}

function largeGraph({ onnx }: SuggestionInput): Suggestion[] {
  if (onnx < 50_000_000) return [];
  return [
    {
      message: "The model is an ONNX graph with large weights.",
      hint: "Where they are of 32 bits, int8 is a quarter: onnxruntime.quantization.quantize_dynamic; compare the answers.",
      saves: null,
    },
  ];
}

function sum(entries: readonly { bytes: number }[]): number {
  return entries.reduce((all, { bytes }) => all + bytes, 0);
}

function some(names: readonly string[]): string {
  if (names.length > 4) return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
