import type { DataType, Detected, ModelField } from "./detected.js";
import { itemsOf, PickleGlobal, PickleObject, type PickleValue } from "./pickle-values.js";
import { walkPickle } from "./pickle-walk.js";
import type { SourceFile } from "./source.js";
import { entriesOf, parametersOf, type TorchTensor, tensorIn, tensorLines } from "./torch-tensors.js";
import { detailsOf, shortCount, summaryOf } from "./wording.js";
import type { ZipArchive } from "./zip.js";

const largestPickle = 64 * 1024 * 1024;
const largestSource = 8 * 1024 * 1024;
const mostTensors = 20_000;
const deepest = 64;
const mostArguments = 200;

/** A compiled program: its code, in a language of its own, is in the file, and no class of the author is needed. */
export async function describeTorchScript(
  file: SourceFile,
  zip: ZipArchive,
  root: string,
  signal: AbortSignal | undefined,
): Promise<Detected> {
  const walk = (name: string) =>
    zip.cursor(name, largestPickle, (cursor) => walkPickle(cursor, { signal, time: 4000 }));
  const { root: model } = await walk(`${root}data.pkl`);
  const type =
    model instanceof PickleObject && model.callee instanceof PickleGlobal ? model.callee : undefined;
  const source = type ? `${root}code/${type.module.replaceAll(".", "/")}.py` : "";
  const code = zip.has(source) ? (await zip.read(source, largestSource)).toString("utf8") : "";
  const signature = type ? forwardIn(code, type.name) : undefined;
  const traced = zip.has(`${root}traced_inputs.pkl`) ? await walk(`${root}traced_inputs.pkl`) : undefined;
  const examples = traced ? tracedTensors(traced.root) : [];
  const tensors = tensorsOf(model);
  const parameters = parametersOf(tensors);

  const inputs = (signature?.inputs ?? []).map((input, at) => withExample(input, examples[at]));
  const warnings: string[] = [];
  if (signature === undefined) {
    warnings.push(
      "The program has no forward method that could be read: its inputs and outputs are not known.",
    );
  } else if (inputs.some(({ dtype, shape }) => dtype === "any" && shape === undefined)) {
    warnings.push(
      "TorchScript states neither the shape nor the type of its tensors: write them into the project.",
    );
  } else if (examples.length > 0) {
    warnings.push(
      "The shapes are those of the example that the model was traced with; the first dimension was taken for the batch.",
    );
  }
  const [input] = inputs;
  const columns = inputs.length === 1 && input?.shape?.length === 2 ? input.shape[1] : undefined;
  return {
    kind: "torchscript",
    confidence: "certain",
    summary: summaryOf(
      "TorchScript",
      type?.name,
      examples.length > 0 ? "traced" : undefined,
      parameters > 0 ? `${shortCount(parameters)} parameters` : undefined,
    ),
    library: { name: "torch", version: undefined },
    architecture: type?.name,
    task: undefined,
    inputs,
    outputs: signature?.outputs ?? [],
    features: typeof columns === "number" ? { count: columns, names: undefined } : undefined,
    labels: undefined,
    files: [file.path],
    warnings,
    details: detailsOf({
      parameters: tensors.length > 0 ? parameters : undefined,
      tensors: tensors.length || undefined,
      tensorNames: tensors.length > 0 ? tensorLines(tensors) : undefined,
      tracedWith:
        examples.length > 0
          ? examples.map(({ shape, dtype }) => `${dtype} [${shape.join(", ")}]`)
          : undefined,
      forward: signature?.text,
    }),
  };
}

interface Signature {
  text: string;
  inputs: ModelField[];
  outputs: ModelField[];
}

/** The arguments and the result of `forward` in the class; the code is only read as text. */
function forwardIn(code: string, className: string): Signature | undefined {
  const start = code.indexOf(`class ${className}(Module):`);
  if (start < 0) return undefined;
  const end = code.indexOf("\nclass ", start + 1);
  const method = code.indexOf("  def forward(", start);
  if (method < 0 || (end >= 0 && method > end)) return undefined;
  // A signature of a few arguments; not a search through megabytes
  const text = code.slice(method, method + 20_000);
  const match = /^ {2}def forward\(([^)]*)\) -> ([^\n]*):\n/.exec(text);
  if (!match) return undefined;
  const [, list = "", result = ""] = match;
  const inputs = splitTop(list)
    .slice(1, mostArguments)
    .map((argument) => {
      const at = argument.indexOf(":");
      const name = at < 0 ? argument : argument.slice(0, at);
      return field(name.trim(), at < 0 ? "Tensor" : (argument.slice(at + 1).split("=")[0] ?? ""));
    });
  return {
    text: `forward(${splitTop(list).slice(1).join(", ")}) -> ${result}`.slice(0, 2000),
    inputs,
    outputs: resultsOf(result.trim()),
  };
}

/** At the commas outside of brackets. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "[" || character === "(") depth++;
    else if (character === "]" || character === ")") depth--;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.replace(/\s+/g, " ").trim()).filter((part) => part !== "");
}

const scalars: Readonly<Record<string, DataType>> = {
  int: "int64",
  float: "float64",
  bool: "bool",
  str: "string",
};

function field(name: string, type: string): ModelField {
  const plain = type.trim().replace(/^Optional\[(.*)\]$/, "$1");
  return { name, dtype: scalars[plain] ?? "any", shape: plain in scalars ? [] : undefined };
}

function resultsOf(type: string): ModelField[] {
  const tuple = /^Tuple\[(.*)\]$/.exec(type)?.[1];
  if (tuple === undefined) return [field("output", type)];
  return splitTop(tuple)
    .slice(0, mostArguments)
    .map((part, at) => field(`output_${at}`, part));
}

/** `{"forward": [tensors]}`, each part wrapped into a call that only restores its type. */
function tracedTensors(value: PickleValue | undefined): Omit<TorchTensor, "name">[] {
  const forward = entriesOf(untagged(value))?.find(([name]) => name === "forward")?.[1];
  const items = itemsOf(untagged(forward)) ?? [];
  const tensors = items.map((item) => tensorIn(untagged(item)));
  return tensors.every((tensor) => tensor !== undefined) ? tensors : [];
}

function untagged(value: PickleValue | undefined): PickleValue | undefined {
  let inner = value;
  for (let at = 0; at < 8; at++) {
    if (!(inner instanceof PickleObject) || inner.path !== "torch.jit._pickle.restore_type_tag") break;
    inner = itemsOf(inner.args)?.[0];
  }
  return inner;
}

function withExample(input: ModelField, example: Omit<TorchTensor, "name"> | undefined): ModelField {
  if (example === undefined || input.shape !== undefined) return input;
  const shape = example.shape.length > 1 ? [null, ...example.shape.slice(1)] : example.shape;
  return { ...input, dtype: example.dtype, shape };
}

/** All tensors that hang on the compiled modules, whose attributes are their state. */
function tensorsOf(model: PickleValue | undefined): TorchTensor[] {
  const tensors: TorchTensor[] = [];
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue, prefix: string, depth: number): void => {
    if (!(value instanceof PickleObject) || depth > deepest || seen.has(value)) return;
    seen.add(value);
    for (const [name, item] of entriesOf(value.state) ?? []) {
      if (tensors.length >= mostTensors) return;
      const tensor = tensorIn(item);
      if (tensor) tensors.push({ name: `${prefix}${String(name)}`, ...tensor });
      else visit(item, `${prefix}${String(name)}.`, depth + 1);
    }
  };
  if (model !== undefined) visit(model, "", 0);
  return tensors;
}
