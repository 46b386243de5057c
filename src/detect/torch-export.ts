import { damaged } from "./damaged.js";
import type { DataType, Detected, ModelField } from "./detected.js";
import { isRecord, listAt, numberAt, recordAt, textAt } from "./json.js";
import { pickFromJson } from "./json-walk.js";
import { oneLine } from "./one-line.js";
import { type Choose, choose, type Picked } from "./picked.js";
import type { SourceFile } from "./source.js";
import { detailsOf, publicVersion, shortCount, summaryOf } from "./wording.js";
import type { ZipArchive } from "./zip.js";

/** The graph as JSON has about a kilobyte for each operation: only what is asked for is kept. */
const largestGraph = 256 * 1024 * 1024;
const time = 4000;
const mostFields = 10_000;
const mostDimensions = 64;

/** torch._export.serde.schema.ScalarType. */
const dtypes: Readonly<Record<number, DataType>> = {
  1: "uint8",
  2: "int8",
  3: "int16",
  4: "int32",
  5: "int64",
  6: "float16",
  7: "float32",
  8: "float64",
  12: "bool",
  13: "bfloat16",
  28: "uint16",
};

/** The entry with the graph: in `models/` since PyTorch 2.7, at the top before. */
export function exportedProgramIn(zip: ZipArchive): string | undefined {
  const models = zip.names.filter((name) => /^([^/]+\/)?models\/[^/]+\.json$/.test(name));
  const isArchive = zip.names.some((name) => /^([^/]+\/)?archive_format$/.test(name));
  if (models.length > 0 && isArchive) return models.find((name) => name.endsWith("/model.json")) ?? models[0];
  return zip.names.find((name) => /^([^/]+\/)?serialized_exported_program\.json$/.test(name));
}

export async function describeExport(
  file: SourceFile,
  zip: ZipArchive,
  entry: string,
  signal: AbortSignal | undefined,
): Promise<Detected> {
  const pick = (choice: Choose) =>
    zip.cursor(entry, largestGraph, (cursor) => pickFromJson(cursor, choice, { signal, time }));
  const program = await pick(
    choose(["graph_module/signature", "range_constraints", "schema_version", "torch_version"]),
  );
  const signature = program.values.get("graph_module/signature");
  const tensors = await tensorsOf(signature, pick);
  const ranges = program.values.get("range_constraints");
  const field = (spec: unknown, key: string, at: number) =>
    fieldOf(recordAt(spec, key), tensors, ranges, key, at);
  const inputSpecs = listAt(signature, "input_specs");
  const outputSpecs = listAt(signature, "output_specs");
  if (inputSpecs.length > mostFields || outputSpecs.length > mostFields) {
    throw damaged(file.path, `It claims over ${mostFields} inputs or outputs.`);
  }
  const specsOf = (specs: readonly unknown[], key: string) =>
    specs.filter((spec) => isRecord(spec) && key in spec);
  const inputs = specsOf(inputSpecs, "user_input").map((spec, at) => field(spec, "user_input", at));
  const outputs = specsOf(outputSpecs, "user_output").map((spec, at) => field(spec, "user_output", at));
  const version = program.text("torch_version");
  const schema = program.values.get("schema_version");
  const parameters = specsOf(inputSpecs, "parameter").reduce<number>((sum, spec) => {
    const name = textAt(recordAt(recordAt(spec, "parameter"), "arg"), "name") ?? "";
    const sizes = sizesOf(recordAt(tensors, name), ranges) ?? [];
    return sum + sizes.reduce<number>((product, size) => product * (typeof size === "number" ? size : 1), 1);
  }, 0);
  const fixed = inputs.filter(
    ({ shape }) => shape?.length && shape.every((size) => typeof size === "number"),
  );
  const warnings = fixed.map(
    ({ name, shape }) =>
      `The input ${oneLine(name, 60)} was exported for exactly ${shape?.join(" x ")}: one request at a time, or export it with a dynamic batch dimension.`,
  );
  return {
    kind: "torch-export",
    confidence: inputs.length > 0 ? "certain" : "likely",
    summary: summaryOf(
      "PyTorch exported program",
      version === undefined ? undefined : `written by PyTorch ${version}`,
      parameters > 0 ? `${shortCount(parameters)} parameters` : undefined,
    ),
    library: { name: "torch", version: publicVersion(version) },
    architecture: undefined,
    task: undefined,
    inputs,
    outputs,
    features: columnsOf(inputs),
    labels: undefined,
    files: [file.path],
    warnings: warnings.slice(0, 5),
    details: detailsOf({
      torchVersion: version,
      schema: numberAt(schema, "major")?.toString(),
      parameters: parameters || undefined,
      entry,
      symbols: isRecord(ranges) && Object.keys(ranges).length > 0 ? rangeLines(ranges) : undefined,
    }),
  };
}

/** The values that the signature names, of all that the graph computes: these stand before it in the file. */
async function tensorsOf(
  signature: unknown,
  pick: (choice: Choose) => Promise<Picked>,
): Promise<Record<string, unknown>> {
  const specs = [...listAt(signature, "input_specs"), ...listAt(signature, "output_specs")].filter(isRecord);
  const names = new Set(
    specs
      .flatMap((spec) => Object.values(spec))
      .map((one) => recordAt(one, "arg"))
      .map((argument) => textAt(argument, "name") ?? textAt(recordAt(argument, "as_tensor"), "name")),
  );
  const place = "graph_module/graph/tensor_values";
  const leading = choose([place]);
  const picked = await pick((path) => {
    if (!path.startsWith(`${place}/`)) return path === place ? "enter" : leading(path);
    return names.has(path.slice(place.length + 1)) ? "keep" : "skip";
  });
  return Object.fromEntries([...picked.values].map(([path, value]) => [path.slice(place.length + 1), value]));
}

/** `s97: 1 to 1024`: what the free sizes may be. */
function rangeLines(ranges: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(ranges)
    .slice(0, 20)
    .map((symbol) => {
      const range = recordAt(ranges, symbol);
      return `${symbol.slice(0, 40)}: ${numberAt(range, "min_val") ?? 0} to ${numberAt(range, "max_val") ?? "any"}`;
    });
}

function columnsOf(inputs: readonly ModelField[]): Detected["features"] {
  const [input] = inputs;
  const columns = inputs.length === 1 && input?.shape?.length === 2 ? input.shape[1] : undefined;
  return typeof columns === "number" ? { count: columns, names: undefined } : undefined;
}

function fieldOf(
  spec: Readonly<Record<string, unknown>>,
  tensors: Readonly<Record<string, unknown>>,
  ranges: unknown,
  key: string,
  at: number,
): ModelField {
  const argument = recordAt(spec, "arg");
  const name = textAt(recordAt(argument, "as_tensor"), "name");
  const other = key === "user_input" ? `input_${at}` : `output_${at}`;
  if (name === undefined) return { name: other, dtype: scalarOf(argument), shape: undefined };
  const tensor = recordAt(tensors, name);
  return {
    name,
    dtype: dtypes[numberAt(tensor, "dtype") ?? 0] ?? "any",
    shape: sizesOf(tensor, ranges),
  };
}

/** An argument that is no tensor is kept with the value that it had. */
function scalarOf(argument: Readonly<Record<string, unknown>>): DataType {
  if ("as_int" in argument) return "int64";
  if ("as_float" in argument) return "float64";
  if ("as_bool" in argument) return "bool";
  return "as_string" in argument ? "string" : "any";
}

/** A size is a number, or an expression over symbols; a symbol that can be one thing only is that number. */
function sizesOf(
  tensor: Readonly<Record<string, unknown>>,
  ranges: unknown,
): (number | string | null)[] | undefined {
  const sizes = listAt(tensor, "sizes");
  if (!Array.isArray(tensor.sizes) || sizes.length > mostDimensions) return undefined;
  return sizes.map((size) => {
    const number = numberAt(size, "as_int");
    if (number !== undefined) return number;
    const expression = textAt(recordAt(size, "as_expr"), "expr_str") ?? "";
    const symbol = /^(?:Symbol\(')?(\w{1,40})\b/.exec(expression)?.[1];
    if (symbol === undefined) return null;
    const range = recordAt(ranges, symbol);
    const least = numberAt(range, "min_val");
    return least !== undefined && least === numberAt(range, "max_val") ? least : symbol;
  });
}
