import { type Reporter, task } from "../reporter.js";
import { logicLessRenderer } from "./logic-less.js";
import type { Occasion } from "./manifest.js";
import type { ModelFiles } from "./model-files.js";
import { filesFor, inOrder, type PlannedFile, planProject } from "./plan.js";
import { ejsRenderer } from "./render.js";
import { readTemplateFiles, type Template } from "./template.js";
import type { TemplateModel } from "./template-model.js";
import { templateVariables } from "./variables.js";
import { withoutThoseInPlace, writePlan } from "./write.js";

export interface CreateOptions {
  template: Template;
  name: string;
  python: string;
  /** To the template's questions. */
  answers: Readonly<Record<string, string>>;
  /** What the project is made for, and its files; without it the template brings a model of its own. */
  model?: { description: TemplateModel; files: ModelFiles } | undefined;
  /** Absolute. */
  dir: string;
  force: boolean;
  /** Plans only. */
  dryRun: boolean;
  report: Reporter;
  signal?: AbortSignal | undefined;
}

/** A template and answers -> the files of a new project, written unless `dryRun`. */
export async function createProject(options: CreateOptions): Promise<readonly PlannedFile[]> {
  const files = await projectFiles(options);
  if (options.dryRun) return files;
  const { dir, force, signal, report } = options;
  const wanted = await withoutThoseInPlace(files, dir);
  const total = wanted.reduce((sum, file) => sum + ("source" in file ? file.size : 0), 0);
  if (total === 0) {
    await writePlan(wanted, dir, { force, signal });
    return files;
  }
  let current = 0;
  const id = "model-files";
  const onBytes = (bytes: number) => {
    current += bytes;
    report({ type: "task-progress", id, current, total, unit: "bytes" });
  };
  await task(report, id, "Copying the model", () => writePlan(wanted, dir, { force, signal, onBytes }));
  return files;
}

async function projectFiles(options: CreateOptions): Promise<PlannedFile[]> {
  const { template, name, python, answers, model } = options;
  const occasion: Occasion = model ? "model" : "example";
  const files = filesFor(await readTemplateFiles(template), template.files, occasion);
  const variables = templateVariables({ name, python, answers, model: model?.description ?? null });
  const written = planProject(
    files,
    template.foreign ? logicLessRenderer(variables) : ejsRenderer(variables),
  );
  return inOrder([...written, ...(model?.files.copies ?? [])]);
}
