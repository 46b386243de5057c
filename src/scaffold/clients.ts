import { type ServiceDescription, unknownService } from "../client/description.js";
import { clientFiles } from "../client/files.js";
import { describeGraph } from "../client/tensors.js";
import type { WrittenFile } from "./plan.js";
import type { TemplateModel } from "./template-model.js";

/** What tells what the project's service will take and give. */
export interface ServiceFacts {
  name: string;
  model: TemplateModel | undefined;
  /** Files of the project. */
  written: readonly WrittenFile[];
}

/** A project's version until its file says another. */
const firstVersion = "0.1.0";

/** A new project's clients: typed where the model's file says what it takes, else for any JSON. One that the template has itself stays. */
export function projectClients(facts: ServiceFacts): WrittenFile[] {
  return clientFiles(serviceOf(facts))
    .filter(({ path }) => facts.written.every((file) => file.path !== path))
    .map(({ path, text }) => ({ path, bytes: Buffer.from(text), mode: 0o644 }));
}

/** A graph that is served without code is all that there is to know; what a class takes is known when it runs. */
function serviceOf({ name, model, written }: ServiceFacts): ServiceDescription {
  const hasCode = written.some(({ path }) => path === "model.py" || path === "model.ts");
  if (model?.kind !== "onnx" || hasCode || model.inputs.length === 0 || model.outputs.length === 0)
    return unknownService(name, firstVersion);
  return describeGraph({ name, version: firstVersion, inputs: model.inputs, outputs: model.outputs });
}
