import { join, relative } from "node:path";
import { Lexer, parse } from "yaml";
import { damaged } from "./damaged.js";
import type { Detected } from "./detected.js";
import { listFolder } from "./folder.js";
import { isPlainPath, requireInside, textFile } from "./folder-files.js";
import { isRecord, recordAt, textAt } from "./json.js";
import { type MlflowSignature, readSignature } from "./mlflow-signature.js";
import { oneLine } from "./one-line.js";
import type { FolderReader, SourceFolder } from "./reader.js";
import { detailsOf, publicVersion, summaryOf } from "./wording.js";

const description = "MLmodel";
/** A signature of ten thousand columns is a megabyte. */
const largestDescription = 2 * 1024 * 1024;
/** An MLmodel file has some hundred; a tree of YAML takes up a thousand times the bytes of `[],[],`. */
const mostTokens = 20_000;
const deepest = 6;
const mostFiles = 2000;

/** Where a flavour says that its model lies, in the folder. */
const places = [
  "pickled_model",
  "model_data",
  "model_binary",
  "data",
  "python_model",
  "model_path",
  "model_code_path",
];

/** Detects a file or folder inside of the model's folder: the flavour's own format. */
type DetectInside = (path: string, signal: AbortSignal | undefined) => Promise<Detected | undefined>;

export function mlflow(detectInside: DetectInside): FolderReader {
  return {
    name: "MLflow folder",
    recognises: ({ files }) => files.includes(description),
    read: (folder, signal) => readMlflow(folder, signal, detectInside),
  };
}

async function readMlflow(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
  detectInside: DetectInside,
): Promise<Detected | undefined> {
  const path = join(folder.path, description);
  const document = parseYaml(path, await textFile(path, largestDescription));
  const flavours = recordAt(document, "flavors");
  const names = Object.keys(flavours);
  if (names.length === 0) throw damaged(path, "It names no flavour.");

  const files = await filesUnder(folder, signal);
  // MLflow's own function is only how the flavour is called
  const flavour = names.find((name) => name !== "python_function") ?? "python_function";
  const settings = recordAt(flavours, flavour);
  const place = placeIn(settings, files) ?? placeIn(recordAt(flavours, "python_function"), files);
  await requireInside(
    folder.path,
    files.map((name) => join(folder.path, name)),
  );
  const inner = place === undefined ? undefined : await detectInside(join(folder.path, place), signal);
  return describe({
    folder,
    files,
    document,
    flavour,
    flavours: names,
    settings,
    place,
    inner,
    signature: readSignature(recordAt(document, "signature")),
  });
}

/** A document of a stranger: no expansion of aliases without end, and no search for keys that are there twice. */
function parseYaml(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    if (++tokens > mostTokens) throw damaged(path, "It has more parts than any model's description.");
  }
  try {
    value = parse(text, { maxAliasCount: 100, uniqueKeys: false, logLevel: "silent", schema: "core" });
  } catch (error) {
    throw damaged(path, "It is not valid YAML.", error);
  }
  if (!isRecord(value)) throw damaged(path, "It is not a YAML mapping.");
  return value;
}

async function filesUnder(folder: SourceFolder, signal: AbortSignal | undefined): Promise<string[]> {
  const files: string[] = [];
  const level = async (inside: SourceFolder, depth: number): Promise<void> => {
    files.push(...inside.files.map((name) => slashed(relative(folder.path, join(inside.path, name)))));
    if (files.length > mostFiles) throw damaged(folder.path, `It holds over ${mostFiles} files.`);
    if (depth >= deepest) return;
    for (const name of inside.folders) {
      if (name === "__pycache__" || name.startsWith(".")) continue;
      await level(await listFolder(join(inside.path, name), signal), depth + 1);
    }
  };
  await level(folder, 0);
  return files.sort((a, b) => Number(b === description) - Number(a === description));
}

function slashed(path: string): string {
  return path.replaceAll("\\", "/");
}

/** The first place that the settings name and that is there. */
function placeIn(settings: Readonly<Record<string, unknown>>, files: readonly string[]): string | undefined {
  for (const key of places) {
    const stated = textAt(settings, key)?.replace(/\/+$/, "");
    if (stated === undefined || !isPlainPath(stated)) continue;
    if (files.includes(stated) || files.some((name) => name.startsWith(`${stated}/`))) return stated;
  }
  return undefined;
}

interface Parts {
  folder: SourceFolder;
  files: readonly string[];
  document: Readonly<Record<string, unknown>>;
  flavour: string;
  flavours: readonly string[];
  settings: Readonly<Record<string, unknown>>;
  place: string | undefined;
  inner: Detected | undefined;
  signature: MlflowSignature | undefined;
}

function describe(parts: Parts): Detected {
  const { document, flavour, settings, inner, signature } = parts;
  const version =
    textAt(settings, `${flavour}_version`) ??
    textAt(settings, Object.keys(settings).find((key) => key.endsWith("_version")) ?? "");
  const code =
    textAt(settings, "code") ?? textAt(recordAt(recordAt(document, "flavors"), "python_function"), "code");
  const warnings = [...(inner?.warnings ?? [])];
  if (flavour === "python_function") {
    warnings.push("The model is a Python function of its author: loading it runs that code.");
  } else if (inner === undefined) {
    warnings.push(
      `What the flavour ${oneLine(flavour, 60)} keeps in the folder is of no format that is known here.`,
    );
  }
  if (code !== undefined) {
    warnings.push(`The model brings Python code along (${oneLine(code, 60)}): read it before you run it.`);
  }
  if (signature === undefined) {
    warnings.push("The model has no signature: its inputs and outputs are not stated.");
  }
  const { columns } = signature ?? {};
  const example = textAt(recordAt(document, "saved_input_example_info"), "artifact_path");
  return {
    kind: "mlflow",
    confidence: "certain",
    summary: summaryOf("MLflow model", `flavour ${flavour}`, inner?.summary),
    library:
      flavour === "python_function"
        ? { name: "mlflow", version: publicVersion(textAt(document, "mlflow_version")) }
        : (inner?.library ?? { name: flavour, version: publicVersion(version) }),
    architecture: inner?.architecture,
    task: inner?.task,
    inputs: signature?.inputs ?? inner?.inputs ?? [],
    outputs: signature?.outputs.length ? signature.outputs : (inner?.outputs ?? []),
    features: columns ? { count: columns.length, names: columns } : inner?.features,
    labels: inner?.labels,
    files: parts.files.map((name) => join(parts.folder.path, name)),
    warnings,
    details: detailsOf({
      ...inner?.details,
      flavour,
      flavours: parts.flavours,
      flavourVersion: version,
      modelKind: inner?.kind,
      modelPath: parts.place,
      serializationFormat: textAt(settings, "serialization_format"),
      mlflowVersion: textAt(document, "mlflow_version"),
      inputExample: example !== undefined && parts.files.includes(example) ? example : undefined,
      signatureParameters: signature?.parameters.length ? signature.parameters : undefined,
    }),
  };
}
