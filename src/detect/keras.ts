import { damaged } from "./damaged.js";
import type { Detected } from "./detected.js";
import { isRecord, parseJson, recordAt, textAt } from "./json.js";
import { type KerasModel, readKerasConfig } from "./keras-config.js";
import { oneLine } from "./one-line.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, publicVersion, summaryOf } from "./wording.js";
import { isZip, zipOf } from "./zip.js";

/** A thousand layers have one or two megabytes; parsed, hostile JSON takes up many times its size. */
const largestConfig = 4 * 1024 * 1024;
const largestMetadata = 64 * 1024;

export const keras: FileReader = {
  name: "Keras",
  recognises: isZip,
  async read(file, signal) {
    const zip = await zipOf(file, signal);
    if (!zip.has("metadata.json") || !zip.has("config.json")) return undefined;
    const metadata = parseJson(await zip.read("metadata.json", largestMetadata));
    const version = textAt(metadata, "keras_version");
    if (version === undefined) return undefined;
    const config = parseJson(await zip.read("config.json", largestConfig));
    if (!isRecord(config)) throw damaged(file.path, "Its config.json is not a JSON object.");
    if (!zip.names.some((name) => /^model\.weights(_\d+)?\.(h5|json)$/.test(name))) {
      throw damaged(file.path, "It has no weights (model.weights.h5).");
    }
    return describe(file, "Keras", version, readKerasConfig(file.path, config, signal), []);
  },
};

const hdf5 = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/** The format of Keras before version 3: a whole model, or its weights alone. */
export const kerasLegacy: FileReader = {
  name: "Keras HDF5",
  recognises: ({ head }) => head.subarray(0, hdf5.length).equals(hdf5),
  async read(file, signal) {
    const text = file.head.toString("latin1");
    if (!/keras_version|layer_names/.test(text)) return undefined;
    const version = /keras_version[\s\S]*?(\d+\.\d+\.\d+[-\w.]*)/.exec(text)?.[1];
    const config = text.includes("model_config") ? configIn(text) : undefined;
    const old =
      "This is the HDF5 format of Keras 2: load it once with a Keras that reads it, and save it as .keras.";
    if (config)
      return describe(file, "Keras HDF5", version, readKerasConfig(file.path, config, signal), [old]);
    const weightsOnly =
      "No description of the network was found in the file: it may hold weights only, and needs the code that builds the network.";
    const unknown: KerasModel = {
      name: undefined,
      task: undefined,
      layers: 0,
      inputs: [],
      outputs: [],
      warnings: [],
    };
    return describe(file, "Keras HDF5", version, unknown, [old, weightsOnly]);
  },
};

/** The description stands as one text in the file: found without knowing HDF5, as nothing else begins like this. */
function configIn(text: string): Record<string, unknown> | undefined {
  const start = text.search(/\{"(class_name|module)": ?"/);
  if (start < 0) return undefined;
  let depth = 0;
  let inText = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === "\\") at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) {
      const config = parseJson(Buffer.from(text.slice(start, at + 1), "latin1"));
      return isRecord(config) && Object.keys(recordAt(config, "config")).length > 0 ? config : undefined;
    }
  }
  return undefined;
}

function describe(
  file: SourceFile,
  format: string,
  version: string | undefined,
  model: KerasModel,
  warnings: readonly string[],
): Detected {
  const [input] = model.inputs;
  const columns = model.inputs.length === 1 && input?.shape?.length === 2 ? input.shape[1] : undefined;
  return {
    kind: "keras",
    confidence: model.layers > 0 ? "certain" : "likely",
    summary: summaryOf(
      version === undefined ? format : `${format}, written by Keras ${oneLine(version, 40)}`,
      model.name,
      model.layers > 0 ? `${model.layers} layers` : undefined,
    ),
    library: { name: "keras", version: publicVersion(version) },
    architecture: model.name,
    task: model.task,
    inputs: model.inputs,
    outputs: model.outputs,
    features: typeof columns === "number" ? { count: columns, names: undefined } : undefined,
    labels: undefined,
    files: [file.path],
    warnings: [...model.warnings, ...warnings],
    details: detailsOf({ kerasVersion: version, layers: model.layers || undefined }),
  };
}
