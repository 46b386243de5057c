import type { Detected } from "./detected.js";
import { oneLine } from "./one-line.js";
import { sortGlobals } from "./pickle-globals.js";
import {
  itemsOf,
  PickleGlobal,
  type PickleObject,
  PicklePersistent,
  type PickleValue,
} from "./pickle-values.js";
import type { PickleContents } from "./pickle-walk.js";
import {
  entriesOf,
  isModule,
  moduleTensors,
  parametersOf,
  stateDictIn,
  type TorchTensor,
  tensorIn,
  tensorLines,
} from "./torch-tensors.js";
import { detailsOf, shortCount, summaryOf } from "./wording.js";

/** Ends a warning of what no model does. */
export const doNotLoad = "do not load it.";

/** Keys under which training scripts keep the state dict, the usual ones first. */
const usualKeys = ["model_state_dict", "state_dict", "model", "net", "module", "ema", "weights", "params"];

interface Content {
  kind: "torch-state-dict" | "torch-pickle";
  what: string;
  architecture: string | undefined;
  tensors: readonly TorchTensor[];
  /** Where the state dict stands in a checkpoint. */
  key: string | undefined;
  isKnown: boolean;
}

/** What `torch.save` wrote, new form or old. */
export function describeTorchPickle(
  path: string,
  contents: PickleContents,
  form: "zip" | "legacy",
): Detected {
  const content = contentOf(contents.root);
  const parameters = parametersOf(content.tensors);
  const dtype = content.tensors.find((tensor) => tensor.dtype !== "any")?.dtype;
  return {
    kind: content.kind,
    confidence: !content.isKnown
      ? "guess"
      : content.key !== undefined || !contents.complete
        ? "likely"
        : "certain",
    summary: summaryOf(
      `PyTorch ${content.what}`,
      content.architecture,
      content.tensors.length > 0 ? `${content.tensors.length} tensors` : undefined,
      parameters > 0 ? `${shortCount(parameters)} parameters` : undefined,
    ),
    library: { name: "torch", version: undefined },
    architecture: content.architecture,
    task: undefined,
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: [path],
    warnings: warningsOf(contents, content, form),
    details: detailsOf({
      form,
      tensors: content.tensors.length || undefined,
      parameters: content.tensors.length > 0 ? parameters : undefined,
      dtype,
      stateDictKey: content.key,
      tensorNames: content.tensors.length > 0 ? tensorLines(content.tensors) : undefined,
    }),
  };
}

function contentOf(root: PickleValue | undefined): Content {
  const known = { architecture: undefined, key: undefined, isKnown: true };
  const whole = stateDictIn(root);
  if (whole) return { ...known, kind: "torch-state-dict", what: "state dict", tensors: whole };
  if (isModule(root)) {
    const architecture = classNameOf(root);
    return { ...known, kind: "torch-pickle", what: "module", architecture, tensors: moduleTensors(root) };
  }
  const entries = entriesOf(root)?.filter(
    (entry): entry is [string, PickleValue] => typeof entry[0] === "string",
  );
  for (const [key, value] of [...(entries ?? [])].sort((a, b) => placeOf(a[0]) - placeOf(b[0]))) {
    const tensors = stateDictIn(value);
    if (tensors) return { ...known, kind: "torch-state-dict", what: "checkpoint", tensors, key };
    if (isModule(value)) {
      const architecture = classNameOf(value);
      return {
        ...known,
        kind: "torch-pickle",
        what: "checkpoint",
        architecture,
        tensors: moduleTensors(value),
        key,
      };
    }
  }
  const tensor = tensorIn(root);
  return {
    ...known,
    kind: "torch-pickle",
    what: tensor ? "tensor" : "pickle",
    tensors: tensor ? [{ name: "tensor", ...tensor }] : [],
    isKnown: false,
  };
}

function placeOf(key: string): number {
  const place = usualKeys.indexOf(key);
  return place < 0 ? usualKeys.length : place;
}

/** The old form refers to a class by a persistent id: ("module", class, source file, source). */
function classNameOf(value: PickleObject): string | undefined {
  const { callee } = value;
  if (callee instanceof PickleGlobal) return callee.name;
  const type = callee instanceof PicklePersistent ? itemsOf(callee.id)?.[1] : undefined;
  return type instanceof PickleGlobal ? type.name : undefined;
}

function warningsOf(contents: PickleContents, content: Content, form: "zip" | "legacy"): string[] {
  const { harmful, foreign, unusual } = sortGlobals(contents.globals);
  const list = (names: readonly string[]) => names.map((name) => oneLine(name, 80)).join(", ");
  const warnings: string[] = [];
  if (harmful.length > 0) {
    warnings.push(`Loading it would reach ${list(harmful)}, which no model needs: ${doNotLoad}`);
  }
  if (contents.unknownGlobals) {
    warnings.push(`It hides the names of what it imports: ${doNotLoad}`);
  }
  if (content.kind === "torch-state-dict") {
    warnings.push(
      "The file holds weights only: the class of the network and what it takes have to be written into model.py.",
    );
    if (contents.globals.some(({ module }) => !/^(torch|collections|numpy)(\.|$)/.test(module))) {
      warnings.push("It is a pickle with more than tensors in it: load it with weights_only=True.");
    }
  } else {
    warnings.push(
      "Loading it needs weights_only=False, and then it can run any code: load it only if you trust where it comes from.",
      "The pickled module needs the very code of its class: TorchScript or torch.export (.pt2) need none.",
    );
  }
  if (unusual.length > 0) warnings.push(`Loading it also takes these functions: ${list(unusual)}.`);
  if (foreign.length > 0)
    warnings.push(`Loading it imports ${list(foreign)}: this code has to be in the project.`);
  if (form === "legacy") warnings.push("The file has the form from before PyTorch 1.6: save it again.");
  if (!contents.complete) warnings.push("It is so large that only a part of it was looked at.");
  return warnings;
}
