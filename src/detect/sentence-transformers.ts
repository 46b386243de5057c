import { join } from "node:path";
import { damaged } from "./damaged.js";
import { listFolder } from "./folder.js";
import { isPlainPath, jsonFile } from "./folder-files.js";
import { isRecord, numberAt, recordAt, textAt } from "./json.js";
import type { SourceFolder } from "./reader.js";

const mostModules = 32;

export interface SentenceModules {
  /** Folder of the transformer in the model's folder: empty for the folder itself. */
  transformer: string;
  /** Paths of the files of all other modules, in the model's folder. */
  files: readonly string[];
  pooling: string | undefined;
  normalize: boolean;
  dimension: number | undefined;
  maxLength: number | undefined;
  similarity: string | undefined;
  version: string | undefined;
  /** Modules that are classes of the model's author. */
  ownClasses: readonly string[];
}

/** What `modules.json` and the folders that it names say. */
export async function readSentenceModules(folder: SourceFolder): Promise<SentenceModules | undefined> {
  const path = join(folder.path, "modules.json");
  const stated = await jsonFile(path);
  if (!Array.isArray(stated) || stated.length === 0 || !stated.every((one) => textAt(one, "type")))
    return undefined;
  if (stated.length > mostModules) throw damaged(path, `It names ${stated.length} modules.`);

  const files = ["modules.json"];
  let pooling: string | undefined;
  let normalize = false;
  let dimension: number | undefined;
  let transformer = "";
  const ownClasses: string[] = [];
  for (const [at, one] of stated.entries()) {
    const type = textAt(one, "type") ?? "";
    const place = textAt(one, "path") ?? "";
    if (place !== "" && !isPlainPath(place)) throw damaged(path, "It names a folder outside of the model.");
    if (!type.startsWith("sentence_transformers.")) ownClasses.push(type);
    if (at === 0) {
      transformer = place;
      continue;
    }
    if (type.endsWith(".Normalize")) normalize = true;
    if (place === "" || !folder.folders.includes(place.split("/")[0] ?? "")) continue;
    const inside = await listFolder(join(folder.path, place));
    files.push(...inside.files.map((name) => `${place}/${name}`));
    if (!inside.files.includes("config.json")) continue;
    const config = await jsonFile(join(inside.path, "config.json"));
    if (type.endsWith(".Pooling")) {
      pooling = poolingOf(config);
      dimension = numberAt(config, "embedding_dimension") ?? numberAt(config, "word_embedding_dimension");
    } else if (type.endsWith(".Dense")) {
      dimension = numberAt(config, "out_features") ?? dimension;
    }
  }
  const optional = async (name: string) => {
    if (!folder.files.includes(name)) return undefined;
    files.push(name);
    return await jsonFile(join(folder.path, name));
  };
  const general = await optional("config_sentence_transformers.json");
  const words = await optional("sentence_bert_config.json");
  return {
    transformer,
    files,
    pooling,
    normalize,
    dimension,
    maxLength: numberAt(words, "max_seq_length"),
    similarity: textAt(general, "similarity_fn_name"),
    version: textAt(recordAt(general, "__version__"), "sentence_transformers"),
    ownClasses,
  };
}

/** `pooling_mode` since version 5, one switch for each way before. */
function poolingOf(config: unknown): string | undefined {
  const stated = textAt(config, "pooling_mode");
  if (stated !== undefined || !isRecord(config)) return stated;
  const ways = Object.keys(config)
    .filter((key) => key.startsWith("pooling_mode_") && config[key] === true)
    .map((key) => key.replace(/^pooling_mode_/, "").replace(/_tokens?$/, ""));
  return ways.length > 0 ? ways.join("+") : undefined;
}
