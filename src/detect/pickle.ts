import { basename } from "node:path";
import { throwIfAborted, UserError } from "../errors.js";
import { type Compression, canInflate, compressionOf, inflated } from "./compressed.js";
import { ByteCursor, LimitReached } from "./cursor.js";
import type { Confidence, Detected } from "./detected.js";
import { schemaOf } from "./estimator.js";
import { oneLine } from "./one-line.js";
import { classOf, pickledEstimator } from "./pickle-estimator.js";
import { rootOf, sortGlobals } from "./pickle-globals.js";
import { itemsOf, PickleDict, PickleObject, type PickleValue } from "./pickle-values.js";
import { type PickleContents, walkPickle } from "./pickle-walk.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, summaryOf } from "./wording.js";

/** Inflated bytes of a compressed file: at some hundred megabytes a second, these are within the time, too. */
const mostInflated = 2 * 1024 * 1024 * 1024;
const time = 5000;

/** Pickles as pickle, cloudpickle and joblib write them, also compressed. */
export const pickle: FileReader = {
  name: "pickle",
  recognises: ({ head }) => hasProtocol(head) || mayBeText(head) || compressionOf(head) !== undefined,
  async read(file, signal) {
    const compression = compressionOf(file.head);
    if (!compression) return await readPlain(file, signal);
    if (!canInflate(compression)) return unread(file, compression);
    return await readCompressed(file, compression, signal);
  },
};

/** Protocols 2 to 5 begin with their number. */
function hasProtocol(head: Buffer): boolean {
  return head.length >= 4 && head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5;
}

/** Protocols 0 and 1 begin with an instruction: for an instance `c`, `(`, for a dict or list `}`, `]`. */
function mayBeText(head: Buffer): boolean {
  return head.length >= 4 && "c(}]".includes(String.fromCharCode(head[0] ?? 0));
}

async function readPlain(file: SourceFile, signal: AbortSignal | undefined): Promise<Detected | undefined> {
  const certain = hasProtocol(file.head);
  try {
    const contents = await walkPickle(ByteCursor.ofFile(file), { signal, time });
    // Some text of another format could pass for a pickle of plain values
    if (!certain && contents.globals.length === 0) return undefined;
    return describe(file, contents, undefined);
  } catch (error) {
    // Much begins with a bracket
    if (!certain && error instanceof UserError && error.code === "model_file") return undefined;
    throw error;
  }
}

async function readCompressed(
  file: SourceFile,
  compression: "zlib" | "gzip",
  signal: AbortSignal | undefined,
): Promise<Detected | undefined> {
  const until = performance.now() + time;
  let begun = false;
  try {
    return await inflated(file, compression, { limit: mostInflated, until, signal }, async (cursor) => {
      await cursor.ensure(4);
      // Many other things are compressed
      if (cursor.peek() !== 0x80) return undefined;
      begun = true;
      return describe(file, await walkPickle(cursor, { signal, time }), compression);
    });
  } catch (error) {
    throwIfAborted(signal);
    if (!begun && (error instanceof LimitReached || error instanceof UserError)) return undefined;
    throw error;
  }
}

/** joblib compresses in these ways, too. The name has to do where the content is not read. */
function unread(file: SourceFile, compression: Compression): Detected | undefined {
  if (!/\.(joblib|pkl|pickle)\b/i.test(basename(file.path))) return undefined;
  return {
    kind: "pickle",
    confidence: "guess",
    summary: summaryOf("Pickle by its name", `compressed with ${compression}`),
    library: undefined,
    architecture: undefined,
    task: undefined,
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: [file.path],
    warnings: [
      `Its content was not looked at, as it is compressed with ${compression}: save it with compress=3 (zlib) or without.`,
      runsCode,
    ],
    details: detailsOf({ compression }),
  };
}

const runsCode =
  "Loading a pickle can run any code: load it only if you trust where it comes from. ONNX and skops hold no code.";

function describe(
  file: SourceFile,
  contents: PickleContents,
  compression: Compression | undefined,
): Detected {
  const { globals, root } = contents;
  const main = mainObject(root);
  const type = classOf(main.value);
  const estimator = pickledEstimator(main.value);
  const schema = estimator ? schemaOf(estimator) : undefined;
  const libraries = new Set(globals.map(({ module }) => rootOf(module)));
  const isSklearn = type !== undefined && rootOf(type.module) === "sklearn";
  const library = type ? libraryOf(type.module, schema?.version) : undefined;
  const byJoblib = globals.some(({ path }) => path === "joblib.numpy_pickle.NumpyArrayWrapper");
  const isModel = type !== undefined && !dataLibraries.has(rootOf(type.module));
  const confidence: Confidence = !isModel
    ? "guess"
    : contents.complete && main.at === undefined
      ? "certain"
      : "likely";
  return {
    kind: isSklearn && main.at === undefined ? "sklearn-pickle" : "pickle",
    confidence,
    summary: summaryOf(
      type ? `Pickle of ${type.name}` : `Pickle of ${nameOf(root)}`,
      type ? [library?.name ?? rootOf(type.module), library?.version].filter(Boolean).join(" ") : undefined,
      schema?.steps.length ? `steps ${schema.steps.join(", ")}` : undefined,
      compression ? `compressed with ${compression}` : undefined,
    ),
    library,
    architecture: type?.name,
    task: schema?.task,
    inputs: schema?.inputs ?? [],
    outputs: schema?.outputs ?? [],
    features: schema?.features,
    labels: schema?.labels,
    files: [file.path],
    warnings: warningsOf(contents, {
      at: main.at,
      // Of text, the input is known without
      hasSchema: schema !== undefined && schema.inputs.length > 0,
      hasNames: schema?.features === undefined || schema.features.names !== undefined,
      isModel,
    }),
    details: detailsOf({
      class: type?.path,
      steps: schema?.steps.length ? schema.steps : undefined,
      writtenBy: byJoblib || compression ? "joblib" : undefined,
      compression,
      at: main.at,
      imports: [...libraries].sort().slice(0, 50),
    }),
  };
}

/** Their classes hold data: a table, an array, a date. */
const dataLibraries = new Set(
  "numpy pandas scipy builtins __builtin__ collections datetime decimal pathlib".split(" "),
);

/** The model itself: often it stands in a dict, a list or a tuple, beside names and settings. */
function mainObject(root: PickleValue | undefined): {
  value: PickleValue | undefined;
  at: string | undefined;
} {
  if (classOf(root)) return { value: root, at: undefined };
  const candidates: [string, PickleValue][] =
    root instanceof PickleDict
      ? root.pairs.map(([key, value]) => [typeof key === "string" ? key : "?", value])
      : (itemsOf(root) ?? []).map((value, index) => [String(index), value]);
  const models = candidates.filter(([, value]) => isFitted(value));
  const [at, value] = models[0] ?? [];
  return models.length === 1 ? { value, at } : { value: root, at: undefined };
}

function isFitted(value: PickleValue): boolean {
  const type = classOf(value);
  if (!type || !(value instanceof PickleObject)) return false;
  return /^(sklearn|xgboost|lightgbm|catboost)$/.test(rootOf(type.module)) && value.state !== undefined;
}

const libraryNames: Readonly<Record<string, string>> = {
  sklearn: "scikit-learn",
  imblearn: "imbalanced-learn",
};

function libraryOf(module: string, version: string | undefined): Detected["library"] {
  const root = rootOf(module);
  if (root === "__main__" || root === "builtins" || root === "__builtin__") return undefined;
  // `_sklearn_version` is in whatever is built on scikit-learn's base class
  return { name: libraryNames[root] ?? root, version: root === "sklearn" ? version : undefined };
}

function nameOf(root: PickleValue | undefined): string {
  if (root instanceof PickleDict) return "a dict";
  if (itemsOf(root)) return "a list";
  if (root instanceof PickleObject) return root.path ?? "something";
  return "a plain value";
}

function warningsOf(
  contents: PickleContents,
  facts: { at: string | undefined; hasSchema: boolean; hasNames: boolean; isModel: boolean },
): string[] {
  const { harmful, foreign, unusual } = sortGlobals(contents.globals);
  const list = (names: readonly string[]): string => names.map((name) => oneLine(name, 80)).join(", ");
  const warnings: string[] = [];
  if (harmful.length > 0) {
    warnings.push(`Loading it would reach ${list(harmful)}, which no model needs: do not load it.`);
  }
  if (contents.unknownGlobals) {
    warnings.push("It hides the names of what it imports: do not load it unless you know why.");
  }
  warnings.push(runsCode);
  if (foreign.length > 0) {
    warnings.push(`Loading it imports ${list(foreign)}: this code has to be in the project.`);
  }
  if (unusual.length > 0) warnings.push(`Loading it also takes these functions: ${list(unusual)}.`);
  if (!contents.complete) warnings.push("It is so large that only a part of it was looked at.");
  if (facts.at !== undefined)
    warnings.push(`The model stands in the pickle at ${JSON.stringify(oneLine(facts.at, 80))}.`);
  if (!facts.isModel) warnings.push("It does not say which model it holds, if any.");
  else if (!facts.hasSchema) warnings.push("It does not state its inputs.");
  else if (!facts.hasNames) warnings.push("It states how many columns it takes, and not their names.");
  return warnings;
}
