import { damaged } from "./damaged.js";
import type { Detected } from "./detected.js";
import { type Estimator, type Fact, schemaOf } from "./estimator.js";
import { isRecord, parseJson, recordAt, textAt } from "./json.js";
import { decode, numpyType } from "./numpy-values.js";
import { rootOf } from "./pickle-globals.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, summaryOf } from "./wording.js";
import { isZip, type ZipArchive, zipOf } from "./zip.js";

/** The tree of a large pipeline is some megabytes. JSON of this size is parsed into some hundred. */
const mostSchema = 12 * 1024 * 1024;
/** Each takes far more memory than its bytes; a node of skops has about 150 bytes. */
const mostNodes = 400_000;
/** Labels and names are small arrays; others are not read. */
const mostArray = 1024 * 1024;

/** A zip file of `schema.json`, the tree of objects, and one `.npy` file for each array. */
export const skops: FileReader = {
  name: "skops",
  recognises: isZip,
  async read(file, signal) {
    const zip = await zipOf(file, signal);
    if (!zip.has("schema.json")) return undefined;
    const size = zip.sizeOf("schema.json") ?? 0;
    if (size > mostSchema)
      throw damaged(file.path, `Its schema.json has ${size} bytes, more than any model needs.`);
    const text = await zip.read("schema.json", mostSchema);
    if (openingBrackets(text) > mostNodes)
      throw damaged(file.path, `Its schema.json has over ${mostNodes} values.`);
    const tree = parseJson(text);
    if (!isRecord(tree) || typeof tree.__loader__ !== "string" || typeof tree.__class__ !== "string") {
      return undefined; // of another program
    }
    const arrays = await smallArrays(zip, tree);
    return describe(file, tree, arrays);
  },
};

function openingBrackets(text: Buffer): number {
  let count = 0;
  for (const byte of text) if (byte === 0x5b || byte === 0x7b) count += 1;
  return count;
}

type Node = Record<string, unknown>;
type Arrays = ReadonlyMap<string, readonly (string | number | boolean)[]>;

function describe(file: SourceFile, tree: Node, arrays: Arrays): Detected {
  const estimator = estimatorOf(tree, arrays);
  const schema = schemaOf(estimator);
  const root = rootOf(estimator.module);
  const library = root === "sklearn" ? "scikit-learn" : root;
  const isModel = isInstance(tree);
  const imports = importsOf(tree);
  const foreign = imports.filter(
    (path) => !/^(sklearn|numpy|scipy|builtins|collections|operator|functools)\./.test(path),
  );
  return {
    kind: "skops",
    confidence: "certain",
    summary: summaryOf(
      `skops file of ${estimator.name}`,
      [library, schema.version].filter(Boolean).join(" "),
      schema.steps.length ? `steps ${schema.steps.join(", ")}` : undefined,
    ),
    library: isModel
      ? { name: library, version: root === "sklearn" ? schema.version : undefined }
      : undefined,
    architecture: isModel ? estimator.name : undefined,
    task: schema.task,
    inputs: schema.inputs,
    outputs: schema.outputs,
    features: schema.features,
    labels: schema.labels,
    files: [file.path],
    warnings: [
      ...(foreign.length > 0
        ? [`skops loads it only when these types are trusted: ${foreign.slice(0, 20).join(", ")}.`]
        : []),
      ...(!isModel
        ? ["It holds no estimator."]
        : schema.inputs.length === 0
          ? ["It does not state its inputs."]
          : schema.features && !schema.features.names
            ? ["It states how many columns it takes, and not their names."]
            : []),
    ],
    details: detailsOf({
      class: `${estimator.module}.${estimator.name}`,
      skops: textAt(tree, "_skops_version"),
      steps: schema.steps.length ? schema.steps : undefined,
      trusted: foreign.length > 0 ? foreign.slice(0, 100) : undefined,
    }),
  };
}

function isInstance(node: Node): boolean {
  return node.__module__ !== "builtins" && node.__module__ !== "numpy";
}

function estimatorOf(node: Node, arrays: Arrays): Estimator {
  const attributes = recordAt(recordAt(node, "content"), "content");
  return {
    module: textAt(node, "__module__") ?? "",
    name: textAt(node, "__class__") ?? "",
    get: (attribute) =>
      Object.hasOwn(attributes, attribute) ? factOf(attributes[attribute], arrays, 0) : undefined,
  };
}

function factOf(value: unknown, arrays: Arrays, depth: number): Fact {
  if (!isRecord(value) || depth > 4) return undefined;
  const { content } = value;
  if (value.is_json === true && typeof content === "string") {
    const plain = parseJson(content);
    return plain === null || ["string", "number", "boolean"].includes(typeof plain)
      ? (plain as Fact)
      : undefined;
  }
  if (typeof value.file === "string") return arrays.get(value.file);
  if (Array.isArray(content)) return content.slice(0, 20_000).map((one) => factOf(one, arrays, depth + 1));
  return value.__loader__ === "ObjectNode" ? estimatorOf(value, arrays) : undefined;
}

/** Values of the arrays that are names or labels, wherever in the tree. */
async function smallArrays(zip: ZipArchive, tree: Node): Promise<Arrays> {
  const wanted = new Set<string>();
  eachNode(tree, (node) => {
    for (const name of ["classes_", "feature_names_in_", "_classes"]) {
      const file = textAt(recordAt(recordAt(recordAt(node, "content"), "content"), name), "file");
      if (file && wanted.size < 50) wanted.add(file);
    }
  });
  const arrays = new Map<string, readonly (string | number | boolean)[]>();
  for (const name of wanted) {
    if ((zip.sizeOf(name) ?? Number.POSITIVE_INFINITY) > mostArray) continue;
    const values = npyValues(await zip.read(name, mostArray));
    if (values) arrays.set(name, values);
  }
  return arrays;
}

/** The `.npy` format: a magic, a version, and a header that is a Python literal. */
function npyValues(bytes: Buffer): (string | number | boolean)[] | undefined {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 6) !== "\x93NUMPY") return undefined;
  const wide = (bytes[6] ?? 0) >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  if (end > bytes.length) return undefined;
  const descr = /'descr': '([^']{1,20})'/.exec(bytes.toString("latin1", start, end))?.[1];
  const type = numpyType(descr);
  return type && decode(bytes.subarray(end), type);
}

/** Every type that loading would import. */
function importsOf(tree: Node): string[] {
  const paths = new Set<string>();
  eachNode(tree, (node) => {
    const module = textAt(node, "__module__");
    const name = textAt(node, "__class__");
    if (module && name && paths.size < 5000) paths.add(`${module}.${name}`);
  });
  return [...paths].sort();
}

/** Goes through the tree without recursion: it can be as deep as the file is long. */
function eachNode(tree: Node, visit: (node: Node) => void): void {
  const left: unknown[] = [tree];
  while (left.length > 0) {
    const one = left.pop();
    if (Array.isArray(one)) {
      for (const item of one) left.push(item);
    } else if (isRecord(one)) {
      visit(one);
      for (const item of Object.values(one)) if (typeof item === "object") left.push(item);
    }
  }
}
