import { createHash } from "node:crypto";
import type { DigestedFile } from "../graft/model.js";
import type { NpmPackage } from "./npm-lock.js";
import { dockerPurl, imagePurl, npmPurl, pypiPurl } from "./purl.js";
import type { PythonPackage } from "./python-packages.js";

/** What an image is made of. https://spdx.github.io/spdx-spec/v2.3/ */
export interface SbomInput {
  image: { name: string; version: string; digest: string };
  base: { reference: string; digest?: string | undefined };
  weights: readonly DigestedFile[];
  packages: readonly PythonPackage[];
  npmPackages?: readonly NpmPackage[];
  /** Whether `packages` has the dependencies of dependencies too. */
  locked: boolean;
  /** Names of the system packages that the project adds. */
  systemPackages: readonly string[];
  /** ISO 8601: SOURCE_DATE_EPOCH, or the image's own. */
  created: string;
  /** The version of modelship. */
  tool: string;
}

export interface SpdxPackage {
  SPDXID: string;
  name: string;
  versionInfo?: string;
  packageFileName?: string;
  downloadLocation: "NOASSERTION";
  filesAnalyzed: false;
  licenseConcluded: "NOASSERTION";
  licenseDeclared: "NOASSERTION";
  copyrightText: "NOASSERTION";
  primaryPackagePurpose: "CONTAINER" | "FILE" | "LIBRARY" | "OPERATING-SYSTEM";
  checksums?: { algorithm: "SHA256"; checksumValue: string }[];
  externalRefs?: { referenceCategory: "PACKAGE-MANAGER"; referenceType: "purl"; referenceLocator: string }[];
  comment?: string;
}

export interface SpdxDocument {
  spdxVersion: "SPDX-2.3";
  dataLicense: "CC0-1.0";
  SPDXID: "SPDXRef-DOCUMENT";
  name: string;
  documentNamespace: string;
  creationInfo: { created: string; creators: string[] };
  comment: string;
  packages: SpdxPackage[];
  relationships: { spdxElementId: string; relationshipType: string; relatedSpdxElement: string }[];
}

export const spdxType = "application/spdx+json";

const imageId = "SPDXRef-Image";
const baseId = "SPDXRef-Base";

/**
 * The SBOM of an image. Model files are packages of the purpose FILE: an SPDX file must have a SHA-1, for which every
 * weight would be read once more.
 */
export function spdxDocument(input: SbomInput): SpdxDocument {
  const { image, base } = input;
  const root: SpdxPackage = {
    ...packageOf(imageId, image.name, "CONTAINER"),
    versionInfo: image.version,
    checksums: [checksum(image.digest)],
    externalRefs: [purl(imagePurl(image.name, image.digest))],
  };
  const basePackage: SpdxPackage = {
    ...packageOf(baseId, base.reference, "CONTAINER"),
    ...(base.digest !== undefined && { checksums: [checksum(base.digest)] }),
    externalRefs: [purl(dockerPurl(base.reference, base.digest))],
    comment: "The base image.",
  };
  const ids = new Identifiers();
  const weights = input.weights.map((file) => weightPackage(file, ids));
  const python = input.packages.map((one) => pythonPackage(one, ids));
  const npm = (input.npmPackages ?? []).map((one) => npmPackage(one, ids));
  const system = input.systemPackages.map((name) => ({
    ...packageOf(ids.next("System", name), name, "LIBRARY"),
    comment: "A system package, in the version that the base image's distribution had.",
  }));
  const contents = [...weights, ...python, ...npm, ...system];
  const unnamed = {
    spdxVersion: "SPDX-2.3" as const,
    dataLicense: "CC0-1.0" as const,
    SPDXID: "SPDXRef-DOCUMENT" as const,
    name: `${image.name}-${image.version}`,
    creationInfo: { created: wholeSeconds(input.created), creators: [`Tool: modelship-${input.tool}`] },
    comment: remarks(input),
    packages: [root, basePackage, ...contents],
    relationships: [
      relation("SPDXRef-DOCUMENT", "DESCRIBES", imageId),
      relation(imageId, "DESCENDANT_OF", baseId),
      ...contents.map(({ SPDXID }) => relation(imageId, "CONTAINS", SPDXID)),
    ],
  };
  const hash = createHash("sha256").update(JSON.stringify(unnamed)).digest("hex");
  const { spdxVersion, dataLicense, SPDXID, name, ...rest } = unnamed;
  const documentNamespace = `https://modelship.dev/spdx/${encodeURIComponent(name)}-${hash}`;
  return { spdxVersion, dataLicense, SPDXID, name, documentNamespace, ...rest };
}

export function spdxBody(document: SpdxDocument): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}

/** What was not looked into is said: a list that looks whole and is not would mislead. */
function remarks({ locked, systemPackages }: SbomInput): string {
  const missing = [
    "the packages inside the base image (see its own SBOM)",
    ...(systemPackages.length > 0 ? ["the versions and dependencies of system packages"] : []),
    ...(locked
      ? ["which of a lock's conditional packages were installed"]
      : ["the dependencies of Python packages that no lock pins"]),
    "packages inside wheels, and the project's own code",
    "licences and copyright",
  ];
  return `Made from what the image was built from, not from its content. Not looked into: ${missing.join("; ")}.`;
}

function weightPackage({ path, size, digest }: DigestedFile, ids: Identifiers): SpdxPackage {
  return {
    ...packageOf(ids.next("Model", path), path.slice(path.lastIndexOf("/") + 1), "FILE"),
    packageFileName: path,
    checksums: [checksum(digest)],
    comment: `A model file of ${size} bytes.`,
  };
}

function pythonPackage({ name, version, hashes, marker }: PythonPackage, ids: Identifiers): SpdxPackage {
  const [only] = hashes;
  const remark = [
    ...(version === undefined ? ["The version was chosen when the image was built."] : []),
    ...(marker === undefined ? [] : [`Only where ${marker}.`]),
    ...(hashes.length > 1 ? [`The lock allows any of these files: ${hashes.join(", ")}.`] : []),
  ].join(" ");
  return {
    ...packageOf(ids.next("Python", `${name}-${version ?? "any"}`), name, "LIBRARY"),
    ...(version !== undefined && { versionInfo: version }),
    ...(only !== undefined && hashes.length === 1 && { checksums: [checksum(only)] }),
    externalRefs: [purl(pypiPurl(name, version))],
    ...(remark !== "" && { comment: remark }),
  };
}

/** Its hash is of the archive that the registry has: it is said, and not among the checksums of what is installed. */
function npmPackage({ name, version, integrity }: NpmPackage, ids: Identifiers): SpdxPackage {
  return {
    ...packageOf(ids.next("Npm", `${name}-${version}`), name, "LIBRARY"),
    versionInfo: version,
    externalRefs: [purl(npmPurl(name, version))],
    ...(integrity !== undefined && { comment: `The lock allows the archive with ${integrity}.` }),
  };
}

/** SPDX identifiers: letters, digits, dots and hyphens, each given once. */
class Identifiers {
  private readonly given = new Set<string>();

  next(kind: string, name: string): string {
    const plain = `SPDXRef-${kind}-${name.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^-/, "")}`;
    let id = plain;
    for (let count = 2; this.given.has(id); count++) id = `${plain}-${count}`;
    this.given.add(id);
    return id;
  }
}

function packageOf(
  SPDXID: string,
  name: string,
  primaryPackagePurpose: SpdxPackage["primaryPackagePurpose"],
): SpdxPackage {
  return {
    SPDXID,
    name,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    primaryPackagePurpose,
  };
}

function checksum(digest: string) {
  return { algorithm: "SHA256" as const, checksumValue: digest.replace(/^sha256:/, "") };
}

function purl(referenceLocator: string) {
  return { referenceCategory: "PACKAGE-MANAGER" as const, referenceType: "purl" as const, referenceLocator };
}

function relation(spdxElementId: string, relationshipType: string, relatedSpdxElement: string) {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

function wholeSeconds(time: string): string {
  const milliseconds = Date.parse(time);
  return new Date(Number.isNaN(milliseconds) ? 0 : milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}
