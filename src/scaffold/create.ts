import { packageVersion } from "../package.js";
import { type Answers, type PlannedFile, planProject } from "./plan.js";
import { findTemplate, readTemplateFiles, type Template } from "./template.js";
import { writePlan } from "./write.js";

export interface CreateOptions {
  template: string;
  name: string;
  python: string;
  /** Absolute. */
  dir: string;
  force: boolean;
  /** Plans only. */
  dryRun: boolean;
  signal?: AbortSignal | undefined;
}

export interface CreatedProject {
  template: Template;
  files: readonly PlannedFile[];
}

/** A template and answers -> the files of a new project, written unless `dryRun`. */
export async function createProject(options: CreateOptions): Promise<CreatedProject> {
  const template = await findTemplate(options.template);
  const files = planProject(await readTemplateFiles(template), answersFor(options));
  if (!options.dryRun) await writePlan(files, options.dir, { force: options.force, signal: options.signal });
  return { template, files };
}

function answersFor({ name, python }: CreateOptions): Answers {
  const version = packageVersion();
  return {
    name,
    python,
    version,
    schema: `https://unpkg.com/modelship@${version}/dist/modelship.schema.json`,
  };
}
