import { UserError } from "../../errors.js";
import type { Compatibility, PackageRelease } from "./compatibility.js";
import { cudaVersions } from "./compatibility.js";
import { type CudaNeed, hasWheels } from "./needs.js";
import type { Requirement } from "./requirement.js";
import { compareVersions, majorOf, minorOf, nearestVersion } from "./versions.js";

/** What cannot be is refused before anything is built, with the nearest that can. Throws UserError `incompatible`. */
export function refuseImpossible(what: {
  required: readonly Requirement[];
  needs: readonly CudaNeed[];
  python: string;
  platform: string;
  cuda: string | undefined;
  accelerator: "cpu" | "cuda";
  data: Compatibility;
}): void {
  const { required, needs, python, platform, cuda, accelerator, data } = what;
  for (const requirement of required) refuseWithoutWheels(requirement, python, platform, data);
  if (accelerator !== "cuda") return;
  if (cuda !== undefined && !data.cuda[cuda]) refuseUnknownCuda(cuda, data);
  for (const need of needs) {
    if (need.from === "cpu") refuseCpuOnly(need);
    refuseWithoutCudaWheels(need, platform, data);
    if (cuda !== undefined) refuseOtherCuda(need, cuda, data);
  }
  refuseTwoSystems(needs);
}

/** Only what is pinned: of anything else an installer takes a version that it can. */
function refuseWithoutWheels(
  { name, version }: Requirement,
  python: string,
  platform: string,
  data: Compatibility,
): void {
  const releases = data.packages[name]?.releases ?? [];
  const release = version && releases.find((one) => minorOf(one.version) === minorOf(version));
  if (!release || hasWheels(release, python, platform)) return;
  const pythons = release.python ?? [];
  const other = releases.filter((one) => hasWheels(one, python, platform)).map((one) => one.version);
  const nearest = nearestVersion(minorOf(version), other);
  const orAnother = nearest ? ` or require ${name} ${nearest}` : "";
  if (!pythons.includes(python)) {
    const usable = pythons.filter((one) => ["3.10", "3.11", "3.12", "3.13"].includes(one));
    throw new UserError("incompatible", `${name} ${version} has no wheels for Python ${python}.`, {
      why: `It has them for ${list(pythons)} (${known(data)}).`,
      hint: `Set python: "${nearestVersion(python, usable) ?? usable.at(-1)}" in modelship.yaml${orAnother && `,${orAnother}`}.`,
    });
  }
  throw new UserError("incompatible", `${name} ${version} has no wheels for ${platform}.`, {
    why: `It has them for ${list(release.platforms ?? [])} (${known(data)}).`,
    hint: nearest
      ? `Require ${name} ${nearest}, or build for ${release.platforms?.[0]}.`
      : `Build for ${release.platforms?.[0]}.`,
  });
}

function refuseUnknownCuda(cuda: string, data: Compatibility): never {
  const versions = cudaVersions(data);
  throw new UserError("incompatible", `CUDA ${cuda} is not known.`, {
    why: `Known are ${list(versions)} (${known(data)}).`,
    hint: `Use --cuda ${nearestVersion(cuda, versions)}, or describe it in a file that \`image.compatibility\` names.`,
  });
}

function refuseCpuOnly({ name, requirement, facts }: CudaNeed): never {
  const pinned = requirement.version ?? "";
  if (pinned.endsWith("+cpu"))
    throw new UserError(
      "incompatible",
      `${name} ${pinned} has no CUDA, and the project says accelerator: cuda.`,
      {
        hint: `Require ${name}==${pinned.replace("+cpu", "")}, or set \`accelerator: cpu\`.`,
      },
    );
  throw new UserError(
    "incompatible",
    `${name} as it is required has no CUDA, and the project says accelerator: cuda.`,
    {
      why: "Only its extras bring it.",
      hint: `Require ${name}[${facts.extras.at(-1)}], or set \`accelerator: cpu\`.`,
    },
  );
}

function refuseWithoutCudaWheels(
  { name, release, requirement }: CudaNeed,
  platform: string,
  data: Compatibility,
): void {
  const where = release?.cudaPlatforms;
  if (!where || where.includes(platform) || requirement.version?.includes("+cu")) return;
  const better = (data.packages[name]?.releases ?? []).filter((one) => one.cudaPlatforms?.includes(platform));
  throw new UserError("incompatible", `${name} ${release.version} has no CUDA on ${platform}.`, {
    why: `Its wheels there are for the CPU alone; those for ${list(where)} have CUDA (${known(data)}).`,
    hint: better[0]
      ? `Require ${name} ${better[0].version} or later, or build for ${where[0]}.`
      : `Build for ${where[0]}.`,
  });
}

function refuseOtherCuda(need: CudaNeed, cuda: string, data: Compatibility): void {
  const { name, release, facts } = need;
  if (release?.variants) {
    if (release.variants.includes(cuda) || need.cuda === cuda) return;
    throw new UserError("incompatible", `${name} ${release.version} is not made for CUDA ${cuda}.`, {
      why: `It is made for CUDA ${list(release.variants)} (${known(data)}).`,
      hint: nearestOf(
        name,
        cuda,
        release.variants,
        facts.releases,
        (one) => one.variants?.includes(cuda) ?? false,
      ),
    });
  }
  if (need.cuda === undefined || majorOf(need.cuda) === majorOf(cuda)) return;
  const same = cudaVersions(data).filter((one) => majorOf(one) === majorOf(need.cuda ?? ""));
  throw new UserError(
    "incompatible",
    `${name} ${release?.version ?? ""} is made for CUDA ${need.cuda}, not ${cuda}.`.replace("  ", " "),
    {
      why: `CUDA is compatible within a major version only (${known(data)}).`,
      hint: nearestOf(
        name,
        cuda,
        same,
        facts.releases,
        (one) => one.cuda !== undefined && majorOf(one.cuda) === majorOf(cuda),
      ),
    },
  );
}

function refuseTwoSystems(needs: readonly CudaNeed[]): void {
  const system = needs.filter(({ from, cuda }) => from === "image" && cuda !== undefined);
  const [first, ...others] = system;
  const other = others.find(({ cuda }) => majorOf(cuda ?? "") !== majorOf(first?.cuda ?? ""));
  if (!first || !other) return;
  throw new UserError(
    "incompatible",
    `${first.name} needs CUDA ${first.cuda} of the system, ${other.name} CUDA ${other.cuda}.`,
    {
      why: "An image has one CUDA.",
      hint: `Require versions of them for the same CUDA, or ${other.name}[${other.facts.extras.join(",") || "..."}], which brings its own.`,
    },
  );
}

function nearestOf(
  name: string,
  cuda: string,
  versions: readonly string[],
  releases: readonly PackageRelease[],
  fits: (release: PackageRelease) => boolean,
): string {
  const release = releases
    .filter(fits)
    .sort((one, two) => compareVersions(one.version, two.version))
    .at(-1);
  const other = release ? `, or ${name} ${release.version}, which is made for ${cuda}` : "";
  return `Use --cuda ${nearestVersion(cuda, versions)}${other}.`;
}

function known(data: Compatibility): string {
  return `as known on ${data.updated}`;
}

function list(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
