import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { messageOf, UserError } from "../../errors.js";
import { packagePath } from "../../package.js";
import { compareVersions, minorOf } from "./versions.js";

/**
 * What goes with what: CUDA, drivers, cuDNN and the packages that use them. The facts are data, with their sources, in
 * templates/data/compatibility.json; `scripts/refresh-compatibility.mjs` brings them up to date, and a project can name
 * a file of its own that replaces parts of them.
 */
export const compatibilityFile = "templates/data/compatibility.json";

const version = z.string().regex(/^\d+(\.\d+)*$/, "must be a version, such as 12.8");
const flavour = z.enum(["base", "runtime", "devel"]);

const cudaRelease = z.strictObject({
  /** Driver for Linux that the toolkit came with: all of its features. */
  driver: version,
  /** Driver that is enough, as NVIDIA keeps minor versions compatible. */
  minimumDriver: version,
  /** Version in the tags of nvidia/cuda. */
  image: version,
  distribution: z
    .string()
    .regex(/^[a-z]+\d+(\.\d+)?$/, "must be as in a tag of nvidia/cuda, such as ubuntu24.04"),
  /** First and last compute capability that it makes code for. */
  capabilities: z.tuple([version, version]),
  /** Major version of cuDNN in its images. */
  cudnn: version,
});

const release = z.strictObject({
  version,
  /** Versions of Python that it has wheels for. */
  python: z.array(version).optional(),
  platforms: z.array(z.string()).optional(),
  /** Where its wheels on the usual index have CUDA. */
  cudaPlatforms: z.array(z.string()).optional(),
  /** Of the wheels on the usual index; a major version where any of its minor versions will do. */
  cuda: version.optional(),
  cudnn: version.optional(),
  /** PyTorch: CUDA versions that it is published for on indexes of its own. */
  variants: z.array(version).optional(),
  /** Whether it has the extras that bring CUDA. */
  extras: z.boolean().optional(),
});

const packageFacts = z.strictObject({
  /** Where its CUDA comes from: its wheels, its wheels when extras ask for it, or the system. */
  cudaIn: z.enum(["wheel", "extras", "image"]),
  extras: z.array(z.string()).default([]),
  /** What it is without those extras. */
  without: z.enum(["image", "cpu"]).default("image"),
  cuda: version.optional(),
  /** What it needs of a system CUDA. */
  image: flavour.default("runtime"),
  cudnn: z.boolean().default(false),
  /** It compiles CUDA code while it is installed. */
  builder: z.literal("devel").optional(),
  from: version.optional(),
  releases: z.array(release).default([]),
});

const compatibility = z.strictObject({
  format: z.literal(1),
  updated: z.string(),
  sources: z.record(
    z.string(),
    z.strictObject({ url: z.string(), what: z.string(), how: z.string(), read: z.string() }),
  ),
  /** By major version: the minor version to take where any will do. */
  recommended: z.record(z.string(), version),
  cuda: z.record(version, cudaRelease),
  torchIndexes: z.strictObject({ root: z.url(), cpu: z.string() }),
  torchCompanions: z.array(z.string()),
  torchDependents: z.array(z.string()),
  /** Packages that only compute on the CPU, and what has CUDA instead. */
  cpuOnly: z.record(z.string(), z.string()),
  packages: z.record(z.string(), packageFacts),
});

export type Compatibility = z.output<typeof compatibility>;
export type CudaRelease = z.output<typeof cudaRelease>;
export type PackageFacts = z.output<typeof packageFacts>;
export type PackageRelease = z.output<typeof release>;
export type Flavour = z.output<typeof flavour>;

/** The facts that came with modelship, with those of `override` (a file of JSON) in place of theirs. */
export async function readCompatibility(root: string, override: string | null): Promise<Compatibility> {
  if (override === null) {
    shipped ??= readShipped().then((facts) => compatibility.parse(facts));
    return shipped;
  }
  const ours = await readShipped();
  const file = resolve(root, override);
  let theirs: unknown;
  try {
    theirs = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new UserError("project_file", `The compatibility data ${override} cannot be read.`, {
      why: messageOf(error),
      hint: "Name a JSON file with `image.compatibility`, or leave it out.",
      cause: error,
    });
  }
  const merged = compatibility.safeParse(merge(ours, theirs));
  if (merged.success) return merged.data;
  const [issue] = merged.error.issues;
  throw new UserError("project_file", `The compatibility data ${override} is not valid.`, {
    why: `${issue?.path.join(".")}: ${issue?.message}.`,
    hint: `It has the form of ${compatibilityFile} in the package of modelship; parts that it leaves out are taken from there.`,
  });
}

/** Read once: the package does not change while it runs. */
let shipped: Promise<Compatibility> | undefined;

async function readShipped(): Promise<unknown> {
  return JSON.parse(await readFile(packagePath(compatibilityFile), "utf8"));
}

/** Objects are merged by key, releases of a package by minor version; anything else replaces. */
function merge(ours: unknown, theirs: unknown): unknown {
  if (isReleases(ours) && isReleases(theirs)) {
    const named = new Set(theirs.map((one) => minorOf(one.version)));
    return [...ours.filter((one) => !named.has(minorOf(one.version))), ...theirs].sort((one, other) =>
      compareVersions(one.version, other.version),
    );
  }
  if (!isObject(ours) || !isObject(theirs)) return theirs;
  const merged: Record<string, unknown> = { ...ours };
  for (const [key, value] of Object.entries(theirs)) {
    if (key === "__proto__") continue;
    merged[key] = key in ours ? merge(ours[key], value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isReleases(value: unknown): value is { version: string }[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one) => isObject(one) && typeof one.version === "string")
  );
}

/** CUDA versions that are known, oldest first. */
export function cudaVersions(data: Compatibility): string[] {
  return Object.keys(data.cuda).sort(compareVersions);
}

/** Facts of a CUDA version; of a bare major version those of the recommended one. */
export function cudaFacts(
  data: Compatibility,
  asked: string,
): (CudaRelease & { version: string }) | undefined {
  const found = asked.includes(".") ? asked : (data.recommended[asked] ?? asked);
  const facts = data.cuda[found];
  return facts && { ...facts, version: found };
}
