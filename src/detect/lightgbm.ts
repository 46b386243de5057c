import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { Detected, ModelField } from "./detected.js";
import { parseJson } from "./json.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, summaryOf } from "./wording.js";

/** Thousands of features or trees stand in one line each. */
const longestLine = 8 * 1024 * 1024;
const mostLines = 100;
const longestEnd = 64 * 1024;
const mostClasses = 20_000;

/** The text that `save_model` writes: parameters, the trees, and the categories of pandas at the end. */
export const lightgbm: FileReader = {
  name: "lightgbm",
  recognises: ({ head }) => /^tree\r?\nversion=v\d/.test(head.toString("latin1", 0, 20)),
  async read(file) {
    const { header, end } = await readHeader(file);
    await requireTrees(file, header, end);
    return describe(file, header, await categoriesOf(file));
  },
};

type Header = ReadonlyMap<string, string>;

/** `name=value` lines, until the empty line before the trees. */
async function readHeader(file: SourceFile): Promise<{ header: Header; end: number }> {
  const cursor = ByteCursor.ofFile(file);
  const header = new Map<string, string>();
  for (let count = 0; count < mostLines; count += 1) {
    const line = (await cursor.line(longestLine)).toString("utf8").replace(/\r$/, "");
    if (line === "") return { header, end: cursor.position };
    const equals = line.indexOf("=");
    if (equals > 0) header.set(line.slice(0, equals), line.slice(equals + 1));
  }
  throw damaged(file.path, "Its parameters have no end.");
}

/** `tree_sizes` tells where the trees end. */
async function requireTrees(file: SourceFile, header: Header, start: number): Promise<void> {
  const sizes = (header.get("tree_sizes") ?? "").split(" ").map(Number);
  const length = sizes.reduce((sum, size) => sum + size, 0);
  if (!Number.isSafeInteger(length) || sizes.some((size) => size < 0)) {
    throw damaged(file.path, "The lengths of its trees are no numbers.");
  }
  // Line ends of another system make every length wrong
  if (file.head.subarray(0, 10).includes(13)) return;
  const after = "end of trees";
  if (start + length + after.length > file.size) {
    throw damaged(
      file.path,
      `It ends after ${file.size} bytes, and its trees go on until ${start + length}.`,
    );
  }
  const text = (await file.bytes(start + length, after.length)).toString("latin1");
  if (text !== after) throw damaged(file.path, "Its trees do not end where they should.");
}

/** `pandas_categorical:[["u", "v"]]` in the last line. */
async function categoriesOf(file: SourceFile): Promise<readonly unknown[] | undefined> {
  const length = Math.min(longestEnd, file.size);
  const text = (await file.bytes(file.size - length, length)).toString("utf8");
  const start = text.lastIndexOf("\npandas_categorical:");
  const found = start < 0 ? undefined : parseJson(text.slice(start + "\npandas_categorical:".length));
  return Array.isArray(found) && found.length > 0 ? found : undefined;
}

function describe(file: SourceFile, header: Header, categories: readonly unknown[] | undefined): Detected {
  const objective = header.get("objective")?.split(" ")[0];
  const last = Number(header.get("max_feature_idx"));
  if (!Number.isSafeInteger(last) || last < 0)
    throw damaged(file.path, "It does not state how many features it has.");
  const count = last + 1;
  const stated = header.get("feature_names")?.split(" ");
  // Without names, the library numbers them
  const isNamed = stated?.length === count && !stated.every((name, index) => name === `Column_${index}`);
  const names = isNamed ? stated : undefined;
  const infos = header.get("feature_infos")?.split(" ") ?? [];
  const isCategory = (index: number): boolean =>
    /^-?\d+(:-?\d+)*$/.test((infos[index] ?? "").slice(0, 10_000));
  const categorical = names?.filter((_, index) => isCategory(index));
  const classes = Number(header.get("num_class"));
  const trees = header.get("tree_sizes")?.split(" ").length;
  const version = header.get("version");
  return {
    kind: "lightgbm",
    confidence: "certain",
    summary: summaryOf("LightGBM", version && `format ${version}`, objective, `${trees} trees`),
    library: { name: "lightgbm", version: undefined },
    architecture: undefined,
    task: taskOf(objective),
    inputs: names
      ? names.map((name, index) => ({
          name,
          dtype: isCategory(index) && categories ? "any" : "float64",
          shape: [null],
        }))
      : [{ name: "X", dtype: "float64", shape: [null, count] }],
    outputs: outputsOf(objective, classes),
    features: { count, names },
    labels: labelsOf(objective, classes),
    files: [file.path],
    warnings: [
      ...(names ? [] : ["It states how many columns it takes, and not their names."]),
      ...(categories ? ["Some of its columns are categories of pandas: give them as in training."] : []),
    ],
    details: detailsOf({
      format: version,
      objective: header.get("objective"),
      trees,
      categorical: categorical?.length ? categorical : undefined,
      categories: categories ? JSON.stringify(categories) : undefined,
    }),
  };
}

function taskOf(objective: string | undefined): string | undefined {
  if (!objective) return undefined;
  if (/^(binary|multiclass|multiclassova|cross_entropy)$/.test(objective)) return "tabular-classification";
  return /^(regression\w*|huber|fair|poisson|quantile|mape|gamma|tweedie)$/.test(objective)
    ? "tabular-regression"
    : undefined;
}

/** LightGBM counts classes from 0; other labels are the training program's. */
function labelsOf(objective: string | undefined, classes: number): number[] | undefined {
  if (objective === "binary") return [0, 1];
  if (!objective?.startsWith("multiclass") || !(classes >= 2 && classes <= mostClasses)) return undefined;
  return Array.from({ length: classes }, (_, index) => index);
}

function outputsOf(objective: string | undefined, classes: number): ModelField[] {
  if (objective?.startsWith("multiclass")) {
    return [{ name: "probabilities", dtype: "float64", shape: [null, classes >= 2 ? classes : null] }];
  }
  return [{ name: objective === "binary" ? "probability" : "prediction", dtype: "float64", shape: [null] }];
}
