import { z } from "zod";
import { modelKinds } from "../detect/detected.js";
import { UserError } from "../errors.js";

/** What a project starts from: the template's own example, or a model that the user has. */
export const occasions = ["example", "model"] as const;
export type Occasion = (typeof occasions)[number];

/** A question that a template asks; the answer becomes a variable of that name. */
export interface TemplateQuestion {
  name: string;
  message: string;
  default: string;
  choices?: readonly string[] | undefined;
  when?: Occasion | undefined;
}

export interface TemplateManifest {
  title: string;
  description: string;
  /** Shell lines that a user may type next, in the new project. */
  next: readonly string[];
  /** Kinds of model that it can serve. */
  serves: readonly string[];
  /** Of those, only models for one of these tasks. */
  tasks?: readonly string[] | undefined;
  questions: readonly TemplateQuestion[];
  /** Files that are written on one occasion only: a path as it lies in the template, or `folder/**`. */
  files: readonly { path: string; when: Occasion }[];
}

export const manifestName = "template.yaml";

/** Variables that every template has; a question may take none of their names. */
export const ownVariables = ["name", "python", "version", "schema", "model"] as const;
export const literalNames = ["py", "json", "yaml", "ts", "comment", "md"] as const;
const reserved = new Set<string>([...ownVariables, ...literalNames]);

const line = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u, "has to be one line");

const question = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,39}$/, "lower-case letters, digits and underscores, a letter first")
      .refine((name) => !reserved.has(name), "is a variable that every template has"),
    message: line,
    default: z.string().max(500),
    choices: z.array(line).min(1).max(50).optional(),
    when: z.enum(occasions).optional(),
  })
  .refine(({ default: preset, choices }) => choices === undefined || choices.includes(preset), {
    path: ["default"],
    message: "has to be one of the choices",
  });

const manifest = z
  .strictObject({
    title: line,
    description: line,
    next: z.array(line).max(20).default([]),
    serves: z.array(z.enum(modelKinds)).default([]),
    tasks: z.array(line).optional(),
    questions: z.array(question).max(20).default([]),
    files: z.array(z.strictObject({ path: z.string().min(1), when: z.enum(occasions) })).default([]),
  })
  .superRefine(({ questions }, context) => {
    const names = questions.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      context.addIssue({ code: "custom", path: ["questions"], message: `asks for "${twice}" twice` });
    }
  });

/** `content` is what template.yaml holds; `template` names it in errors. */
export function checkManifest(content: unknown, template: string): TemplateManifest {
  const parsed = manifest.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UserError("template", `The ${manifestName} of the template "${template}" is not valid.`, {
    excerpt: parsed.error.issues.map((issue) => `${issue.path.join(".") || manifestName}: ${issue.message}`),
  });
}
