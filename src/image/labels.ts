import type { Revision } from "../project/git.js";
import type { ProjectConfig } from "../project/schema.js";
import { Label } from "./label-names.js";

export interface LabelInput {
  config: ProjectConfig;
  revision: Revision | undefined;
  base: { reference: string; digest?: string | undefined };
  /** ISO 8601. */
  created: string;
  key: string;
  filesPath: string;
  /** CUDA that the image is for, where it is known. */
  cuda?: string | undefined;
}

/** OCI annotations keys as labels, and our own. https://github.com/opencontainers/image-spec/blob/main/annotations.md */
export function imageLabels(input: LabelInput): Record<string, string> {
  const { config, revision, base } = input;
  const oci = "org.opencontainers.image";
  return {
    [`${oci}.title`]: config.name,
    [`${oci}.version`]: config.version,
    [`${oci}.created`]: input.created,
    ...(revision && { [`${oci}.revision`]: revision.commit + (revision.dirty ? "-dirty" : "") }),
    ...(revision?.source && { [`${oci}.source`]: revision.source }),
    [`${oci}.base.name`]: base.reference,
    ...(base.digest && { [`${oci}.base.digest`]: base.digest }),
    [Label.name]: config.name,
    [Label.version]: config.version,
    [Label.key]: input.key,
    [Label.weights]: "mounted",
    [Label.files]: input.filesPath,
    [Label.port]: String(config.service.port),
    [Label.accelerator]: config.accelerator,
    ...(input.cuda && { [Label.cuda]: input.cuda }),
  };
}

/** SOURCE_DATE_EPOCH, else the time of the commit, else now. */
export function createdTime(env: NodeJS.ProcessEnv, revision: Revision | undefined, now: Date): string {
  const epoch = Number(env.SOURCE_DATE_EPOCH || Number.NaN);
  if (Number.isFinite(epoch)) return new Date(epoch * 1000).toISOString();
  if (revision && !revision.dirty) return new Date(revision.committedAt * 1000).toISOString();
  return now.toISOString();
}
