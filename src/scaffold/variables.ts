import { packageVersion } from "../package.js";
import { comment, json, md, py, ts, yaml } from "./literals.js";
import type { TemplateModel } from "./template-model.js";

export interface ProjectFacts {
  name: string;
  /** `3.12` */
  python: string;
  /** The template's questions and their answers. */
  answers: Readonly<Record<string, string>>;
  /** What the project is made for; null where the template brings a model of its own. */
  model: TemplateModel | null;
}

/** All that a template may use, by name. */
export function templateVariables(facts: ProjectFacts): Readonly<Record<string, unknown>> {
  const version = packageVersion();
  return {
    ...facts.answers,
    name: facts.name,
    python: facts.python,
    /** Of modelship. */
    version,
    /** Where editors find the JSON Schema of modelship.yaml. */
    schema: `https://unpkg.com/modelship@${version}/dist/modelship.schema.json`,
    model: facts.model,
    ...{ py, json, yaml, ts, comment, md },
  };
}
