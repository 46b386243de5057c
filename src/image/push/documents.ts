import { readFile } from "node:fs/promises";
import { packagePath, packageVersion } from "../../package.js";
import { formatReference } from "../../registry/reference.js";
import { type Attachment, provenanceAttachment, sbomAttachment } from "../attest/attach.js";
import { type NpmPackage, readNpmLock } from "../attest/npm-lock.js";
import { provenanceStatement } from "../attest/provenance.js";
import { installedOver, type PythonPackage, readRequirementsText } from "../attest/python-packages.js";
import { spdxDocument } from "../attest/spdx.js";
import { readUvLock } from "../attest/uv-lock.js";
import type { CodeImageBuild } from "../code-image.js";
import type { KeyedFile } from "../context.js";
import type { DigestedFile } from "../graft/model.js";
import type { Target } from "./target.js";

const prefix = "requirements/";

/** The SBOM and the provenance of an image as it is pushed to one place. */
export async function pushDocuments(
  target: Target,
  digest: string,
  /** One a platform: they differ in nothing else. */
  builds: readonly [CodeImageBuild, ...CodeImageBuild[]],
  weights: readonly DigestedFile[],
): Promise<Attachment[]> {
  const [{ prepared, plan, image }] = builds;
  const { project, input } = prepared;
  const platforms = builds.flatMap((build) => build.plan.platform ?? []);
  const { config } = project;
  const { registry, repository } = target.reference;
  const name = formatReference({ registry, repository });
  const base = {
    reference: plan.base.reference,
    digest: plan.labels["org.opencontainers.image.base.digest"],
  };
  const tool = packageVersion();
  const { kind } = input.requirements;
  const locked = kind === "uv" || kind === "npm" || hasHashes(input.requirements);
  const sbom = spdxDocument({
    image: { name, version: config.version, digest },
    base,
    weights,
    packages: kind === "npm" ? [] : await packagesOf(plan.context, input.requirements),
    npmPackages: kind === "npm" ? await npmPackagesOf(plan.context) : [],
    locked,
    systemPackages: config.system_packages,
    created: image.labels["org.opencontainers.image.created"] ?? new Date(0).toISOString(),
    tool,
  });
  const statement = provenanceStatement({
    subject: { name, digest },
    project: {
      name: config.name,
      version: config.version,
      requirements: config.requirements,
      platform: platforms.length > 0 ? platforms.join(",") : undefined,
    },
    tool: { version: tool, key: plan.key },
    base,
    revision: input.revision,
    context: plan.context,
    weights,
  });
  return [sbomAttachment(sbom), provenanceAttachment(statement)];
}

/** The service's own packages, and the project's. */
async function npmPackagesOf(context: readonly KeyedFile[]): Promise<NpmPackage[]> {
  const found: NpmPackage[] = [];
  for (const lock of ["runtime/package-lock.json", `${prefix}package-lock.json`]) {
    const source = context.find(({ path }) => path === lock)?.source;
    if (source && "file" in source) found.push(...readNpmLock(await readFile(source.file, "utf8")));
  }
  return [...new Map(found.map((one) => [`${one.name}@${one.version}`, one])).values()];
}

type Requirements = CodeImageBuild["prepared"]["input"]["requirements"];

function hasHashes(requirements: Requirements): boolean {
  return requirements.kind === "pip" && requirements.hashed;
}

/** The service's own packages, and the project's as far as its files name them. */
async function packagesOf(
  context: readonly KeyedFile[],
  requirements: Requirements,
): Promise<PythonPackage[]> {
  const runtime = await readFile(packagePath("templates/service/python/requirements.txt"), "utf8");
  const own = readRequirementsText("requirements.txt", new Map([["requirements.txt", runtime]]));
  const texts = new Map<string, string>();
  for (const { path, source } of context) {
    if (!path.startsWith(prefix) || !/\.(txt|in|lock)$/.test(path) || !("file" in source)) continue;
    texts.set(path.slice(prefix.length), await readFile(source.file, "utf8"));
  }
  if (requirements.kind === "uv") return installedOver(own, readUvLock(texts.get("uv.lock") ?? ""));
  if (requirements.kind === "pip") return installedOver(own, readRequirementsText(requirements.file, texts));
  return own;
}
