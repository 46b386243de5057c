import { UserError } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { Detected, ModelField } from "./detected.js";
import { FlatBuffer, type FlatTable } from "./flatbuffer.js";
import { isRecord, listAt, parseJson, recordAt, textAt } from "./json.js";
import { pickFromJson } from "./json-walk.js";
import { choose } from "./picked.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, summaryOf } from "./wording.js";

const time = 5000;
const mostFeatures = 20_000;
const longestName = 4096;
const longestInfo = 2 * 1024 * 1024;

/** Numbers of the fields in CatBoost's model.fbs and features.fbs. */
const core = { formatVersion: 0, trees: 1, info: 2 };
const trees = { approxDimension: 0, treeSizes: 2, catFeatures: 4, floatFeatures: 5 };
const floatFeature = { flatIndex: 2, id: 4 };
const catFeature = { flatIndex: 1, id: 2 };

interface Feature {
  index: number;
  name: string;
  isCategory: boolean;
}

interface CatBoostModel {
  format: string;
  features: Feature[];
  trees: number | undefined;
  /** `params`, `class_params`, `catboost_version_info`... */
  info: Record<string, unknown>;
}

/** `save_model` as `cbm` (a FlatBuffer) or as `json`. */
export const catboost: FileReader = {
  name: "catboost",
  recognises: ({ head }) => isBinary(head) || mayBeJson(head),
  async read(file, signal) {
    if (isBinary(file.head)) return describe(file, await readBinary(file));
    const model = await readJson(file, signal);
    return model && describe(file, model);
  },
};

function isBinary(head: Buffer): boolean {
  return head.length >= 12 && head.toString("latin1", 0, 4) === "CBM1";
}

function mayBeJson(head: Buffer): boolean {
  if (!/^\s{0,100}\{/.test(head.toString("latin1", 0, 101))) return false;
  if (head.includes('"learner"')) return false; // XGBoost's, and two long searches take too long
  return (
    head.includes('"features_info"') || head.includes('"oblivious_trees"') || head.includes('"model_info"')
  );
}

async function readBinary(file: SourceFile): Promise<CatBoostModel> {
  const size = file.head.readUInt32LE(4);
  // Tables for categories may follow
  if (size + 8 > file.size) {
    throw damaged(file.path, `It ends after ${file.size} bytes, and its content goes on until ${size + 8}.`);
  }
  const root = await new FlatBuffer(file, 8).root();
  const format = await root.text(core.formatVersion, 100);
  const model = await root.table(core.trees);
  if (!format?.startsWith("Fla") || !model) throw damaged(file.path, "It holds no trees.");
  const info: Record<string, unknown> = {};
  for (const pair of await root.tables(core.info, 1000)) {
    const key = await pair.text(0, longestName);
    if (key === undefined || !/^(params|class_params|catboost_version_info)$/.test(key)) continue;
    const text = (await pair.text(1, longestInfo)) ?? "";
    info[key] = key === "catboost_version_info" ? text : parseJson(text);
  }
  return {
    format: "cbm",
    features: [
      ...(await featuresIn(await model.tables(trees.floatFeatures, mostFeatures), floatFeature, false)),
      ...(await featuresIn(await model.tables(trees.catFeatures, mostFeatures), catFeature, true)),
    ],
    trees: await model.count(trees.treeSizes),
    info,
  };
}

async function featuresIn(
  tables: readonly FlatTable[],
  fields: { flatIndex: number; id: number },
  isCategory: boolean,
): Promise<Feature[]> {
  const features: Feature[] = [];
  for (const table of tables) {
    features.push({
      index: (await table.int32(fields.flatIndex)) ?? -1,
      name: (await table.text(fields.id, longestName)) ?? "",
      isCategory,
    });
  }
  return features;
}

const wanted = choose([
  "features_info/float_features/*/feature_id",
  "features_info/float_features/*/flat_feature_index",
  "features_info/categorical_features/*/feature_id",
  "features_info/categorical_features/*/flat_feature_index",
  "model_info/params",
  "model_info/class_params",
  "model_info/catboost_version_info",
  "scale_and_bias",
]);

async function readJson(
  file: SourceFile,
  signal: AbortSignal | undefined,
): Promise<CatBoostModel | undefined> {
  try {
    const picked = await pickFromJson(ByteCursor.ofFile(file), wanted, { signal, time });
    const features = ["float", "categorical"].flatMap((type) => {
      const names = picked.list(`features_info/${type}_features/*/feature_id`) ?? [];
      const indexes = picked.list(`features_info/${type}_features/*/flat_feature_index`) ?? [];
      return indexes.map((index, place) => ({
        index: typeof index === "number" ? index : -1,
        name: typeof names[place] === "string" ? names[place] : "",
        isCategory: type === "categorical",
      }));
    });
    if (features.length === 0 || (picked.complete && !picked.values.has("scale_and_bias"))) return undefined;
    return {
      format: "json",
      features,
      trees: undefined,
      info: Object.fromEntries(
        ["params", "class_params", "catboost_version_info"].map((key) => [
          key,
          picked.values.get(`model_info/${key}`),
        ]),
      ),
    };
  } catch (error) {
    const sure = /^\s{0,20}\{\s{0,20}"features_info"\s{0,20}:\s{0,20}\{/.test(
      file.head.toString("latin1", 0, 200),
    );
    if (!sure && error instanceof UserError && error.code === "model_file") return undefined;
    throw error;
  }
}

function describe(file: SourceFile, model: CatBoostModel): Detected {
  const features = [...model.features].sort((a, b) => a.index - b.index);
  // Features that no tree uses may be left out at the end of the list, never before
  const isWhole = features.every(({ index }, place) => index === place);
  const isNamed = isWhole && features.every(({ name, index }) => name !== "" && name !== String(index));
  const names = isNamed && features.length > 0 ? features.map(({ name }) => name) : undefined;
  const count = Math.max(0, ...features.map(({ index }) => index + 1).slice(-1));
  const loss = textAt(recordAt(model.info.params, "loss_function"), "type");
  const labels = labelsOf(model.info.class_params);
  const about = typeof model.info.catboost_version_info === "string" ? model.info.catboost_version_info : "";
  const version = /tags\/v(\d[\d.]{0,20})/.exec(about.slice(0, 5000))?.[1];
  const categorical = features.filter(({ isCategory }) => isCategory);
  const classifies =
    labels !== undefined || /^(Logloss|CrossEntropy|MultiClass|MultiClassOneVsAll)$/.test(loss ?? "");
  return {
    kind: "catboost",
    confidence: "certain",
    summary: summaryOf(
      `CatBoost ${model.format}`,
      version,
      loss,
      model.trees ? `${model.trees} trees` : undefined,
    ),
    library: { name: "catboost", version },
    architecture: undefined,
    task: classifies ? "tabular-classification" : isRegression(loss) ? "tabular-regression" : undefined,
    inputs: names
      ? features.map(({ name, isCategory }) => ({
          name,
          dtype: isCategory ? "string" : "float32",
          shape: [null],
        }))
      : count > 0
        ? [{ name: "X", dtype: categorical.length > 0 ? "any" : "float32", shape: [null, count] }]
        : [],
    outputs: outputsOf(classifies, labels),
    features: count > 0 ? { count, names } : undefined,
    labels,
    files: [file.path],
    warnings: names ? [] : ["It states how many columns it takes, and not their names."],
    details: detailsOf({
      format: model.format,
      loss,
      trees: model.trees,
      categorical:
        categorical.length > 0 ? categorical.map(({ name, index }) => name || String(index)) : undefined,
    }),
  };
}

function labelsOf(parameters: unknown): (string | number)[] | undefined {
  if (!isRecord(parameters)) return undefined;
  const names = listAt(parameters, "class_names");
  const source = names.length > 0 ? names : listAt(parameters, "class_to_label");
  if (source.length < 2 || source.length > mostFeatures) return undefined;
  const labels = source
    .map((one) => (typeof one === "boolean" ? (one ? "True" : "False") : one)) // as CatBoost answers them
    .filter((one) => typeof one === "string" || typeof one === "number");
  return labels.length === source.length ? labels : undefined;
}

function isRegression(loss: string | undefined): boolean {
  return /^(RMSE\w*|MAE|MAPE|Quantile|MultiQuantile|Poisson|Huber|LogLinQuantile|Lq|Expectile|Tweedie|MultiRMSE\w*|LogCosh)$/.test(
    loss ?? "",
  );
}

function outputsOf(classifies: boolean, labels: Detected["labels"]): ModelField[] {
  if (!classifies) return [{ name: "prediction", dtype: "float64", shape: [null] }];
  return [
    {
      name: "label",
      dtype: labels?.every((one) => typeof one === "string") ? "string" : "any",
      shape: [null],
    },
    { name: "probabilities", dtype: "float64", shape: [null, labels?.length ?? null] },
  ];
}
