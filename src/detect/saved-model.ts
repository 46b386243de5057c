import { join } from "node:path";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { DataType, Detected, ModelField } from "./detected.js";
import { listFolder } from "./folder.js";
import { requireInside } from "./folder-files.js";
import { oneLine } from "./one-line.js";
import { type WireField, WireReader } from "./protobuf.js";
import type { FolderReader, SourceFolder } from "./reader.js";
import { SourceFile } from "./source.js";
import { detailsOf, publicVersion, summaryOf } from "./wording.js";

const graph = "saved_model.pb";
const longestName = 4096;
const mostSignatures = 100;
const mostFields = 10_000;
const mostDimensions = 64;

/** tensorflow.DataType. */
const dtypes: Readonly<Record<number, DataType>> = {
  1: "float32",
  2: "float64",
  3: "int32",
  4: "uint8",
  5: "int16",
  6: "int8",
  7: "string",
  9: "int64",
  10: "bool",
  14: "bfloat16",
  17: "uint16",
  19: "float16",
  22: "uint32",
  23: "uint64",
};

export const savedModel: FolderReader = {
  name: "TensorFlow SavedModel",
  recognises: ({ files }) => files.includes(graph),
  read: readSavedModel,
};

interface Signature {
  name: string;
  inputs: ModelField[];
  outputs: ModelField[];
}

interface MetaGraph {
  tags: string[];
  version: string | undefined;
  signatures: Signature[];
}

async function readSavedModel(folder: SourceFolder, signal: AbortSignal | undefined): Promise<Detected> {
  const path = join(folder.path, graph);
  const file = await SourceFile.open(path);
  let graphs: MetaGraph[];
  try {
    graphs = await readGraphs(new WireReader(ByteCursor.ofFile(file), signal), file.size);
  } finally {
    await file.close();
  }
  const chosen = graphs.find(({ tags }) => tags.includes("serve")) ?? graphs[0];
  if (!chosen) throw damaged(path, "It holds no graph.");
  const files = await filesOf(folder, signal);
  return describe(chosen, graphs, files, folder);
}

/** SavedModel: 1 version, 2 meta graphs. */
async function readGraphs(wire: WireReader, size: number): Promise<MetaGraph[]> {
  const graphs: MetaGraph[] = [];
  await wire.message(size, (field) => {
    if (field.number !== 2 || field.type !== "bytes") return undefined;
    if (graphs.length >= mostSignatures) throw damaged(wire.cursor.path, "It claims too many graphs.");
    return readGraph(wire, field).then((one) => graphs.push(one));
  });
  return graphs;
}

/** MetaGraphDef: 1 information (4 tags, 5 version of TensorFlow), 5 signatures by name; the graph itself is passed over. */
async function readGraph(wire: WireReader, whole: WireField): Promise<MetaGraph> {
  const found: MetaGraph = { tags: [], version: undefined, signatures: [] };
  await wire.message(whole.value, (field) => {
    if (field.type !== "bytes") return undefined;
    if (field.number === 1) {
      return wire.message(field.value, (one) => {
        if (one.number === 4 && found.tags.length < mostSignatures) {
          return wire.text(one, longestName).then((tag) => found.tags.push(tag));
        }
        if (one.number !== 5) return undefined;
        return wire.text(one, longestName).then((version) => {
          found.version = version;
        });
      });
    }
    if (field.number !== 5) return undefined;
    if (found.signatures.length >= mostSignatures) {
      throw damaged(wire.cursor.path, "It claims too many signatures.");
    }
    const signature: Signature = { name: "", inputs: [], outputs: [] };
    found.signatures.push(signature);
    return readEntry(
      wire,
      field,
      (name) => Object.assign(signature, { name }),
      (value) =>
        wire.message(value.value, (one) => {
          if (one.type !== "bytes" || one.number > 2) return undefined;
          return readTensor(wire, one, one.number === 1 ? signature.inputs : signature.outputs);
        }),
    );
  });
  return found;
}

/** An entry of a map: 1 key, 2 value. */
async function readEntry(
  wire: WireReader,
  entry: WireField,
  key: (name: string) => unknown,
  value: (field: WireField) => Promise<unknown>,
): Promise<void> {
  await wire.message(entry.value, (field) => {
    if (field.type !== "bytes") return undefined;
    if (field.number === 1) return wire.text(field, longestName).then(key);
    return field.number === 2 ? value(field) : undefined;
  });
}

/** TensorInfo: 2 type, 3 shape (2 dimensions (1 size), 3 unknown rank). */
async function readTensor(wire: WireReader, entry: WireField, into: ModelField[]): Promise<void> {
  if (into.length >= mostFields) throw damaged(wire.cursor.path, `It claims over ${mostFields} tensors.`);
  let name = "";
  let dtype: DataType = "any";
  let shape: (number | null)[] | undefined;
  let isUnknown = false;
  await readEntry(
    wire,
    entry,
    (text) => {
      name = text;
    },
    (info) =>
      wire.message(info.value, (field) => {
        if (field.number === 2 && field.type === "varint") dtype = dtypes[field.value] ?? "any";
        if (field.number !== 3 || field.type !== "bytes") return undefined;
        shape = [];
        return wire.message(field.value, (part) => {
          if (part.number === 3 && part.type === "varint") isUnknown = part.value !== 0;
          if (part.number !== 2 || part.type !== "bytes") return undefined;
          // protobuf leaves a size of zero out
          let size = 0;
          return wire
            .message(part.value, (dimension) => {
              if (dimension.number === 1 && dimension.type === "varint") size = dimension.value;
              return undefined;
            })
            .then(() => {
              if ((shape?.length ?? 0) >= mostDimensions) {
                throw damaged(wire.cursor.path, `A tensor claims over ${mostDimensions} dimensions.`);
              }
              shape?.push(size < 0 ? null : size);
            });
        });
      }),
  );
  into.push({ name, dtype, shape: isUnknown ? undefined : shape });
}

/** The graph first, then the variables, the assets and what Keras writes beside. */
async function filesOf(folder: SourceFolder, signal: AbortSignal | undefined): Promise<string[]> {
  const files = [graph, ...folder.files.filter((name) => name !== graph && /\.(pb|json)$/.test(name))];
  for (const name of ["variables", "assets", "assets.extra"]) {
    if (!folder.folders.includes(name)) continue;
    const inside = await listFolder(join(folder.path, name), signal);
    files.push(...inside.files.map((file) => `${name}/${file}`));
  }
  const paths = files.map((name) => join(folder.path, name));
  await requireInside(folder.path, paths);
  return paths;
}

const training = "__saved_model_init_op";

function describe(
  chosen: MetaGraph,
  graphs: readonly MetaGraph[],
  files: readonly string[],
  folder: SourceFolder,
): Detected {
  const signatures = chosen.signatures.filter(({ name }) => name !== training);
  const signature = signatures.find(({ name }) => name === "serving_default") ?? signatures[0];
  const warnings: string[] = [];
  if (signature === undefined) {
    warnings.push(
      "The model has no signature: save it with one (signatures=...), so that its inputs and outputs have names.",
    );
  } else if (signatures.length > 1) {
    warnings.push(
      `The model has ${signatures.length} signatures; ${oneLine(signature.name, 60)} was taken for its inputs and outputs.`,
    );
  }
  if (folder.folders.includes("variables")) {
    const names = files.map((path) => path.slice(folder.path.length + 1).replaceAll("\\", "/"));
    if (names.some((name) => name.startsWith("variables/")) && !names.includes("variables/variables.index")) {
      throw damaged(
        join(folder.path, graph),
        "The variables beside it have no index (variables/variables.index).",
      );
    }
  }
  // The wire keeps the entries of a map in no order
  const byName = (fields: readonly ModelField[]) => [...fields].sort((a, b) => (a.name < b.name ? -1 : 1));
  const inputs = byName(signature?.inputs ?? []);
  const outputs = byName(signature?.outputs ?? []);
  const [input] = inputs;
  const columns = inputs.length === 1 && input?.shape?.length === 2 ? input.shape[1] : undefined;
  return {
    kind: "saved-model",
    confidence: signature === undefined ? "likely" : "certain",
    summary: summaryOf(
      "TensorFlow SavedModel",
      chosen.version === undefined ? undefined : `written by TensorFlow ${chosen.version}`,
      signature === undefined ? undefined : `signature ${signature.name}`,
    ),
    library: { name: "tensorflow", version: publicVersion(chosen.version) },
    architecture: undefined,
    task: undefined,
    inputs,
    outputs,
    features: typeof columns === "number" ? { count: columns, names: undefined } : undefined,
    labels: undefined,
    files,
    warnings,
    details: detailsOf({
      tags: chosen.tags,
      signature: signature?.name,
      signatures: signatures.map(({ name }) => name),
      graphs: graphs.length,
      tensorflowVersion: chosen.version,
    }),
  };
}
