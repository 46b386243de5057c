import { z } from "zod";
import type { Revision } from "../../project/git.js";
import type { DigestedFile } from "../graft/model.js";
import { dockerPurl } from "./purl.js";

/** What an image was built from. https://slsa.dev/spec/v1.0/provenance */
export interface ProvenanceInput {
  /** The image: its name without tag, and the digest of its manifest or index. */
  subject: { name: string; digest: string };
  project: { name: string; version: string; requirements: string; platform: string | undefined };
  /** The version of modelship, and the content key of the build. */
  tool: { version: string; key: string };
  base: { reference: string; digest?: string | undefined };
  revision: Revision | undefined;
  /** What the build read; `path` as in the build context, so without a folder of this machine. */
  context: readonly { path: string; digest: string }[];
  weights: readonly DigestedFile[];
}

export const statementType = "application/vnd.in-toto+json";
export const buildType = "https://modelship.dev/build/v1";
const builderId = "https://modelship.dev/builder/v1";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const dependencyDocument = z.looseObject({
  name: z.string().optional(),
  uri: z.string().optional(),
  digest: z.record(z.string(), z.string()).optional(),
  annotations: z.looseObject({ kind: z.string().optional() }).optional(),
});
const statementDocument = z.looseObject({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z.array(z.looseObject({ name: z.string(), digest: z.looseObject({ sha256 }) })).min(1),
  predicateType: z.literal("https://slsa.dev/provenance/v1"),
  predicate: z.looseObject({
    buildDefinition: z.looseObject({
      buildType: z.string(),
      externalParameters: z.record(z.string(), z.unknown()),
      internalParameters: z.record(z.string(), z.unknown()),
      resolvedDependencies: z.array(dependencyDocument).max(100_000),
    }),
    runDetails: z.looseObject({ builder: z.looseObject({ id: z.string() }) }),
  }),
});

export type ProvenanceStatement = z.infer<typeof statementDocument>;
type Dependency = z.infer<typeof dependencyDocument>;

/** The statement has no clock and no machine in it: the same build gives the same bytes. */
export function provenanceStatement(input: ProvenanceInput): ProvenanceStatement {
  const { subject, project, tool } = input;
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: subject.name, digest: { sha256: hexOf(subject.digest) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: {
          name: project.name,
          version: project.version,
          requirements: project.requirements,
          ...(project.platform !== undefined && { platform: project.platform }),
        },
        internalParameters: { modelship: tool.version, key: tool.key },
        resolvedDependencies: [
          baseDependency(input.base),
          ...(input.revision ? [sourceDependency(input.revision)] : []),
          ...input.context.map(({ path, digest }) => fileDependency("context", path, digest)),
          ...input.weights.map(({ path, digest }) => fileDependency("weights", path, digest)),
        ],
      },
      runDetails: { builder: { id: builderId, version: { modelship: tool.version } } },
    },
  };
}

export function provenanceBody(statement: ProvenanceStatement): Buffer {
  return Buffer.from(JSON.stringify(statement));
}

/** What a statement of ours says, for whoever compares. */
export interface ReadProvenance {
  /** `sha256:<hex>` of what it is about. */
  subjects: readonly string[];
  name: string | undefined;
  version: string | undefined;
  modelship: string | undefined;
  key: string | undefined;
  base: { uri: string | undefined; digest: string | undefined } | undefined;
  /** Digests by path: of the build context, and of the model files in the container. */
  context: ReadonlyMap<string, string>;
  weights: ReadonlyMap<string, string>;
}

/** `undefined` for what is no such statement, or another builder's. */
export function readProvenance(body: Buffer): ReadProvenance | undefined {
  const parsed = statementDocument.safeParse(parse(body));
  if (!parsed.success || parsed.data.predicate.buildDefinition.buildType !== buildType) return undefined;
  const { subject, predicate } = parsed.data;
  const { externalParameters, internalParameters, resolvedDependencies } = predicate.buildDefinition;
  const base = resolvedDependencies.find((one) => one.annotations?.kind === "base");
  return {
    subjects: subject.map(({ digest }) => `sha256:${digest.sha256}`),
    name: text(externalParameters.name),
    version: text(externalParameters.version),
    modelship: text(internalParameters.modelship),
    key: text(internalParameters.key),
    base: base && { uri: base.uri, digest: base.digest?.sha256 && `sha256:${base.digest.sha256}` },
    context: filesOf(resolvedDependencies, "context"),
    weights: filesOf(resolvedDependencies, "weights"),
  };
}

function baseDependency({ reference, digest }: ProvenanceInput["base"]): Dependency {
  return {
    uri: dockerPurl(reference, digest),
    ...(digest !== undefined && { digest: { sha256: hexOf(digest) } }),
    annotations: { kind: "base", reference },
  };
}

function sourceDependency({ commit, dirty, source }: Revision): Dependency {
  const uri = source === undefined ? undefined : publicAddress(source);
  return {
    ...(uri !== undefined && { uri }),
    digest: { gitCommit: commit },
    annotations: { kind: "source", ...(dirty && { dirty: true }) },
  };
}

/** A repository elsewhere; a path on this machine says nothing to others, and is nobody's business. */
function publicAddress(source: string): string | undefined {
  const scp = /^(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):(?!\/\/)([^\\]+)$/.exec(source);
  if (scp) return `git+ssh://${scp[1]}/${scp[2]}`;
  return /^(?:https?|ssh|git):\/\//i.test(source) ? `git+${source}` : undefined;
}

function fileDependency(kind: string, name: string, digest: string): Dependency {
  return { name, digest: { sha256: hexOf(digest) }, annotations: { kind } };
}

function filesOf(dependencies: readonly Dependency[], kind: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const { name, digest, annotations } of dependencies) {
    if (annotations?.kind === kind && name !== undefined && digest?.sha256 !== undefined) {
      files.set(name, `sha256:${digest.sha256}`);
    }
  }
  return files;
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
