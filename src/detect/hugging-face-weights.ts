import { join } from "node:path";
import { throwIfAborted } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import { isPlainPath } from "./folder-files.js";
import { pickFromJson } from "./json-walk.js";
import type { Choice } from "./picked.js";
import type { SourceFolder } from "./reader.js";
import { readSafetensorsHeader, type SafetensorsHeader } from "./safetensors.js";
import { SourceFile } from "./source.js";

export interface HuggingFaceWeights {
  /** Names in the folder. */
  files: readonly string[];
  format: "safetensors" | "pickle" | "tensorflow" | "flax";
  parameters: number | undefined;
  dtype: string | undefined;
  shapes: SafetensorsHeader["shapes"];
}

const mostShards = 1000;
const mostTensors = 400_000;
const indexTime = 7000;
const none: SafetensorsHeader["shapes"] = new Map();

/** The weights that transformers would take: safetensors before pickles, one file before shards. */
export async function findWeights(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
): Promise<HuggingFaceWeights | undefined> {
  const has = (name: string) => folder.files.includes(name);
  for (const stem of ["model", "adapter_model"]) {
    const single = `${stem}.safetensors`;
    const index = `${single}.index.json`;
    if (has(single)) return await readShards(folder, [single], [single], signal);
    if (has(index)) {
      const shards = await shardsOf(folder, index, signal);
      return await readShards(folder, [index, ...shards], shards, signal);
    }
  }
  const unread = { parameters: undefined, dtype: undefined, shapes: none };
  for (const single of ["pytorch_model.bin", "adapter_model.bin"]) {
    if (has(single)) return { ...unread, format: "pickle", files: [single] };
  }
  const index = "pytorch_model.bin.index.json";
  if (has(index))
    return { ...unread, format: "pickle", files: [index, ...(await shardsOf(folder, index, signal))] };
  if (has("tf_model.h5")) return { ...unread, format: "tensorflow", files: ["tf_model.h5"] };
  if (has("flax_model.msgpack")) return { ...unread, format: "flax", files: ["flax_model.msgpack"] };
  return undefined;
}

/** Names of the files that an index spreads the tensors over, all of which have to be there. */
async function shardsOf(
  folder: SourceFolder,
  index: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const path = join(folder.path, index);
  const shards = new Set<string>();
  for (const name of await filesInIndex(path, signal)) {
    if (typeof name !== "string" || name.includes("/") || !isPlainPath(name)) {
      throw damaged(path, "It names a file that cannot be one of the model's.");
    }
    shards.add(name);
    if (shards.size > mostShards) throw damaged(path, `It names over ${mostShards} files.`);
  }
  if (shards.size === 0) throw damaged(path, "It names no files with weights.");
  const missing = [...shards].filter((name) => !folder.files.includes(name));
  if (missing.length > 0) {
    throw damaged(path, `${missing.length} of the ${shards.size} files that it names are not beside it.`);
  }
  return [...shards].sort();
}

/** The file of each tensor. The indexes of the largest models have tens of megabytes, and are picked from. */
async function filesInIndex(path: string, signal: AbortSignal | undefined): Promise<readonly unknown[]> {
  const file = await SourceFile.open(path);
  try {
    let tensors = 0;
    const choose = (place: string): Choice => {
      if (place === "weight_map") return "enter";
      if (!place.startsWith("weight_map/")) return "skip";
      tensors++;
      if (tensors > mostTensors) throw damaged(path, `It names over ${mostTensors} tensors.`);
      return "keep";
    };
    const picked = await pickFromJson(ByteCursor.ofFile(file), choose, { signal, time: indexTime });
    if (!picked.complete) throw damaged(path, "It is larger than any model's.");
    return [...picked.values.values()];
  } finally {
    await file.close();
  }
}

async function readShards(
  folder: SourceFolder,
  files: readonly string[],
  shards: readonly string[],
  signal: AbortSignal | undefined,
): Promise<HuggingFaceWeights> {
  let parameters = 0;
  let dtype: string | undefined;
  let shapes: SafetensorsHeader["shapes"] = none;
  for (const name of shards) {
    throwIfAborted(signal);
    const file = await SourceFile.open(join(folder.path, name));
    try {
      const header = await readSafetensorsHeader(file, signal);
      parameters += header.parameters;
      dtype ??= header.dtype;
      // Only the heads of small models are looked at
      if (shards.length === 1) shapes = header.shapes;
    } finally {
      await file.close();
    }
  }
  return { files, format: "safetensors", parameters, dtype, shapes };
}
