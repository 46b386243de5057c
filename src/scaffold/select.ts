import type { Detected } from "../detect/detected.js";
import type { Template } from "./template.js";

/** For models that no other template serves. */
export const templateForUnknown = "custom";

/** Of several that serve a kind, an earlier one is taken; those that are not here come last, by name. */
const order = [
  "onnx",
  "sklearn",
  "xgboost",
  "lightgbm",
  "catboost",
  "torch",
  "tensorflow",
  "embeddings",
  "llm",
  "image-classification",
  "transformers",
];

/** The template for a model: one that names its task before one for any task. Nothing when none serves it. */
export function templateFor(found: Detected, templates: readonly Template[]): Template | undefined {
  const serving = templates.filter((template) => serves(template, found));
  serving.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  return serving[0];
}

export function serves(template: Template, found: Detected): boolean {
  if (!template.serves.includes(found.kind) || whyNotWithoutCode(found) !== undefined) return false;
  return template.tasks === undefined || (found.task !== undefined && template.tasks.includes(found.task));
}

function rank({ name, tasks }: Template): number {
  const place = order.indexOf(name);
  return (tasks === undefined ? 1000 : 0) + (place < 0 ? order.length : place);
}

/** An ONNX graph is served without code where each row is a slice of every input. */
export function whyNotWithoutCode({ kind, inputs }: Detected): string | undefined {
  if (kind !== "onnx") return undefined;
  for (const { name, dtype, shape } of inputs) {
    if (dtype === "any") return `Its input ${JSON.stringify(name)} is no tensor that can be sent.`;
    const [batch] = shape ?? [];
    if (batch === undefined) return `Its input ${JSON.stringify(name)} has no dimension for the batch.`;
    if (typeof batch === "number" && batch !== 1) {
      return `Its input ${JSON.stringify(name)} takes batches of ${batch} only: export it with a dynamic first dimension.`;
    }
  }
  return undefined;
}
