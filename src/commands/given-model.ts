import { basename, dirname, extname, relative, resolve } from "node:path";
import type { Detected, ModelField } from "../detect/detected.js";
import { UserError } from "../errors.js";
import type { ModelFiles } from "../scaffold/model-files.js";
import { nearestProjectName } from "../scaffold/name.js";
import type { Template } from "../scaffold/template.js";
import type { TemplateModel } from "../scaffold/template-model.js";
import { askSelect } from "../ui/prompts.js";
import type { CommandContext } from "./command.js";

/** The model that `--from` names. */
export interface GivenModel {
  /** As the user wrote it. */
  path: string;
  /** Nothing for a format that is not known. */
  detected: Detected | undefined;
  /** What of it is served: the model in a folder of MLflow's. */
  served: Detected | undefined;
  /** What a project could be called. */
  name: string | undefined;
  source: { description: TemplateModel; files: ModelFiles };
}

/** Looks at what is there, without running any of it, and says what it is. */
export async function givenModel(
  context: CommandContext,
  path: string,
  options: { template?: string },
): Promise<GivenModel> {
  const { detectModel } = await import("../detect/detect.js");
  const { filesAt, planModelFiles } = await import("../scaffold/model-files.js");
  const { innerModel } = await import("../scaffold/flavour.js");
  const { templateFor } = await import("../scaffold/select.js");
  const { listTemplates } = await import("../scaffold/template.js");
  const { templateModel, unknownModel } = await import("../scaffold/template-model.js");
  const absolute = resolve(context.cwd, path);
  const { found } = await detectModel(absolute, { signal: context.signal });
  const detected = await oneOf(context, path, found, options);
  const inner = detected && innerModel(detected);
  const served = inner && templateFor(inner, await listTemplates()) ? inner : detected;
  const files = await planModelFiles(served?.files ?? (await filesAt(absolute, context.signal)));
  sayWhatItIs(context, path, detected);
  return {
    path,
    detected,
    served,
    name: nameOf(absolute, found, detected),
    source: {
      files,
      description: served ? templateModel(served, files.files) : unknownModel(files.files),
    },
  };
}

/** The template that serves it, or the one for all that no other serves. */
export async function templateForModel(context: CommandContext, model: GivenModel): Promise<Template> {
  const { findTemplate, listTemplates } = await import("../scaffold/template.js");
  const { templateFor, templateForUnknown, whyNotWithoutCode } = await import("../scaffold/select.js");
  const template = model.served && templateFor(model.served, await listTemplates());
  if (template) return template;
  const reason = model.served && whyNotWithoutCode(model.served);
  context.report({
    type: "warning",
    message: model.detected
      ? `No template serves this model: the project is one for code of your own.${reason ? ` ${oneLine(reason)}` : ""}`
      : `${model.path} is of no format that modelship knows: the project is one for code of your own.`,
    hint: "Its model.py says TODO(modelship) where your code has to load the model and ask it.",
  });
  return findTemplate(templateForUnknown);
}

/** A template that names the kinds it serves is taken at its word; one that names none is for any. */
export async function checkServes(template: Template, { served: detected, path }: GivenModel): Promise<void> {
  if (!detected || template.serves.length === 0 || template.serves.includes(detected.kind)) return;
  const { listTemplates } = await import("../scaffold/template.js");
  const { templateFor, templateForUnknown } = await import("../scaffold/select.js");
  const better = templateFor(detected, await listTemplates())?.name ?? templateForUnknown;
  throw new UserError("usage", `The template ${template.name} does not serve ${path}.`, {
    why: `That is ${detected.summary}; it serves ${template.serves.join(", ")}.`,
    hint: `Leave --template out, or use --template ${better}.`,
  });
}

/** For `--json`. */
export function detectedJson(detected: Detected | undefined): unknown {
  if (!detected) return null;
  const { kind, confidence, summary, inputs, outputs, warnings } = detected;
  const fields = (of: readonly ModelField[]) =>
    of.map(({ name, dtype, shape }) => ({ name, dtype, shape: shape ?? null }));
  return { kind, confidence, summary, inputs: fields(inputs), outputs: fields(outputs), warnings };
}

async function oneOf(
  context: CommandContext,
  path: string,
  found: readonly Detected[],
  options: { template?: string },
): Promise<Detected | undefined> {
  if (found.length <= 1) return found[0];
  const served = options.template === undefined ? [] : await servedBy(options.template, found);
  if (served.length === 1) return served[0];
  const candidates = served.length > 1 ? served : found;
  const shown = (one: Detected) => relative(context.cwd, one.files[0] ?? "") || ".";
  if (context.interactive) {
    return askSelect({
      message: "Which model",
      signal: context.signal,
      choices: candidates.map((one) => ({ value: one, name: `${shown(one)}  ${oneLine(one.summary)}` })),
    });
  }
  throw new UserError(
    "usage",
    `${path} holds ${candidates.length} models, and there is no terminal to ask on.`,
    {
      hint: "Name one with --from FILE, or with --template what to make of it.",
      excerpt: candidates.slice(0, 20).map((one) => `${shown(one)}: ${oneLine(one.summary)}`),
    },
  );
}

async function servedBy(name: string, found: readonly Detected[]): Promise<Detected[]> {
  const { listTemplates } = await import("../scaffold/template.js");
  const { innerModel } = await import("../scaffold/flavour.js");
  const { serves } = await import("../scaffold/select.js");
  const template = (await listTemplates()).find((one) => one.name === name);
  if (!template) return [];
  return found.filter((one) => serves(template, innerModel(one)));
}

function nameOf(
  path: string,
  found: readonly Detected[],
  detected: Detected | undefined,
): string | undefined {
  const [main = path] = detected?.files ?? [];
  const isFile = path === main && found.length <= 1;
  const named = isFile || found.length > 1 ? basename(main, extname(main)) : basename(path);
  return nearestProjectName(named) ?? nearestProjectName(basename(dirname(path)));
}

const sureness = { certain: "", likely: " (likely)", guess: " (a guess)" } as const;

function sayWhatItIs(context: CommandContext, path: string, detected: Detected | undefined): void {
  if (!detected) return;
  const say = (message: string) => context.report({ type: "note", message });
  say(`${path}: ${oneLine(detected.summary)}${sureness[detected.confidence]}.`);
  sayFields(say, "takes", detected.inputs);
  const { features, labels } = detected;
  if (detected.inputs.length === 0 && features) {
    const names = features.names ? `: ${someOf(features.names)}` : ", whose names the file does not state";
    say(`  takes ${features.count} features${names}`);
  }
  sayFields(say, "gives", detected.outputs);
  if (labels && labels.length > 0) say(`  classes: ${someOf(labels)}`);
  for (const warning of detected.warnings) context.report({ type: "warning", message: warning });
}

function sayFields(say: (line: string) => void, verb: string, fields: readonly ModelField[]): void {
  if (fields.length === 0) return;
  const shown = fields.map(({ name, dtype, shape }) => {
    // Of a column or one value a row there is only the batch.
    const lengths =
      shape && shape.length > 1
        ? ` [${shape.map((length) => oneLine(String(length ?? "?"))).join(", ")}]`
        : "";
    return `${oneLine(name)} ${dtype}${lengths}`;
  });
  say(`  ${verb} ${someOf(shown)}`);
}

function someOf(items: readonly unknown[]): string {
  const shown = items.slice(0, 6).map((item) => oneLine(String(item)));
  return `${shown.join(", ")}${items.length > shown.length ? ` and ${items.length - shown.length} more` : ""}`;
}

/** Names out of a file must not move the cursor or turn the text. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").slice(0, 120);
}
