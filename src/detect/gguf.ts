import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { throwIfAborted } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { Detected } from "./detected.js";
import { ggmlSizes, quantisationNames } from "./gguf-types.js";
import { oneLine } from "./one-line.js";
import type { FileReader } from "./reader.js";
import type { SourceFile } from "./source.js";
import { detailsOf, shortCount, summaryOf } from "./wording.js";

/** The metadata of the largest real files (a vocabulary of 260,000 tokens with scores and merges) is about 16 MB. */
const maxHeader = 64 * 1024 * 1024;
const maxEntries = 100_000;
const maxTensors = 100_000;
const maxKeptText = 1024 * 1024;
const maxKey = 65_535;
const maxDimensions = 8;
const maxParts = 1000;

type Scalar = string | number | boolean;

/** Bytes of the value types with a fixed size, by their number in the file. */
const fixedSizes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const stringType = 8;
const arrayType = 9;

const magic = "GGUF";

export const gguf: FileReader = {
  name: "GGUF",
  recognises: ({ head }) => head.toString("latin1", 0, magic.length) === magic,
  read: readGguf,
};

async function readGguf(file: SourceFile, signal: AbortSignal | undefined): Promise<Detected> {
  const header = new Header(file, signal);
  const version = await header.version();
  const tensorCount = await header.count(maxTensors, "tensors");
  const entryCount = await header.count(maxEntries, "entries of metadata");

  const metadata = new Map<string, Scalar>();
  const lengths = new Map<string, number>();
  for (let at = 0; at < entryCount; at++) {
    const key = await header.text(maxKey);
    const type = await header.u32();
    if (type === arrayType) lengths.set(key, await header.skipList());
    else metadata.set(key, await header.scalar(type));
  }
  const tensors = await readTensors(header, tensorCount, alignmentOf(metadata));
  if (tensors.end > file.size) {
    throw damaged(file.path, `Its tensors end at byte ${tensors.end}, and the file has ${file.size}.`);
  }
  return describe(file, version, header.isBigEndian, metadata, lengths, tensors);
}

interface Tensors {
  parameters: number;
  /** The last byte that a tensor of a known type takes up. */
  end: number;
}

async function readTensors(header: Header, count: number, alignment: number): Promise<Tensors> {
  let parameters = 0n;
  let end = 0n;
  for (let at = 0; at < count; at++) {
    await header.text(maxKey);
    const dimensions = await header.u32();
    if (dimensions > maxDimensions) throw header.wrong(`A tensor claims ${dimensions} dimensions.`);
    let elements = 1n;
    for (let axis = 0; axis < dimensions; axis++) elements *= await header.u64();
    const type = await header.u32();
    const offset = await header.u64();
    parameters += elements;
    const [block, bytes] = ggmlSizes[type] ?? [1, 0];
    const last = offset + (elements / BigInt(block)) * BigInt(bytes);
    if (last > end) end = last;
  }
  if (parameters > BigInt(Number.MAX_SAFE_INTEGER))
    throw header.wrong("Its tensors claim an impossible size.");
  const start = Math.ceil(header.position / alignment) * alignment;
  return { parameters: Number(parameters), end: count === 0 ? 0 : start + Number(end) };
}

function alignmentOf(metadata: ReadonlyMap<string, Scalar>): number {
  const stated = metadata.get("general.alignment");
  return typeof stated === "number" && Number.isInteger(stated) && stated > 0 && stated <= 65_536
    ? stated
    : 32;
}

/** Architectures that give one vector for a text. */
const embedders =
  /(^|-)bert($|-)|^(bert|nomic-bert|jina-bert|modern-bert|neo-bert|gemma-embedding|t5encoder)/;

async function describe(
  file: SourceFile,
  version: number,
  isBigEndian: boolean,
  metadata: ReadonlyMap<string, Scalar>,
  lengths: ReadonlyMap<string, number>,
  tensors: Tensors,
): Promise<Detected> {
  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const number = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "number" && Number.isFinite(value) ? value : undefined;
  };
  const architecture = text("general.architecture");
  const fileType = number("general.file_type");
  const quantisation =
    fileType === undefined ? undefined : (quantisationNames[fileType] ?? `type ${fileType}`);
  const contextLength = number(`${architecture}.context_length`);
  const template = text("tokenizer.chat_template");
  const kindOfFile = text("general.type") ?? "model";
  const isPart = kindOfFile !== "model" || architecture === "clip";
  const isEmbedder =
    architecture !== undefined &&
    (embedders.test(architecture) || (number(`${architecture}.pooling_type`) ?? 0) > 0);

  const warnings: string[] = [];
  const parts = await splitFiles(file, number("split.count"), warnings);
  if (isPart) {
    const what = architecture === "clip" ? "a vision encoder" : `of type ${oneLine(kindOfFile)}`;
    warnings.push(`This file is ${what}: it works only beside the model that it was made for.`);
  } else if (!isEmbedder && template === undefined) {
    warnings.push("The file holds no chat template: chat messages have to be put into words by the service.");
  }
  if (isBigEndian) warnings.push("The file is big-endian: most machines cannot run it.");
  const tokens = lengths.get("tokenizer.ggml.tokens");
  const parameters = number("general.parameter_count") ?? tensors.parameters;

  const summary = summaryOf(
    "GGUF",
    architecture,
    parameters > 0 ? `${shortCount(parameters)} parameters` : undefined,
    quantisation,
    contextLength === undefined ? undefined : `context of ${contextLength} tokens`,
  );
  const details = detailsOf({
    version,
    byteOrder: isBigEndian ? "big" : "little",
    name: text("general.name"),
    architecture,
    quantisation,
    contextLength,
    embeddingLength: number(`${architecture}.embedding_length`),
    layers: number(`${architecture}.block_count`),
    parameters,
    vocabularySize: tokens ?? number(`${architecture}.vocab_size`),
    tokenizer: text("tokenizer.ggml.model"),
    chatTemplate: template,
    license: text("general.license"),
    sizeLabel: text("general.size_label"),
    parts: parts.length > 1 ? parts.length : undefined,
  });
  return {
    kind: "gguf",
    confidence: "certain",
    summary,
    library: { name: "llama.cpp", version: undefined },
    architecture,
    task: isPart ? undefined : isEmbedder ? "feature-extraction" : "text-generation",
    inputs: [],
    outputs: [],
    features: undefined,
    labels: undefined,
    files: parts,
    warnings,
    details,
  };
}

/** A model of several files is named `stem-00001-of-00003.gguf`; llama.cpp is given the first. */
async function splitFiles(
  file: SourceFile,
  count: number | undefined,
  warnings: string[],
): Promise<string[]> {
  if (count === undefined || count < 2) return [file.path];
  const named = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(basename(file.path));
  if (named === null || Number(named[3]) !== count || count > maxParts) {
    warnings.push(`The file is one part of ${count}: give the first one, beside the others.`);
    return [file.path];
  }
  const folder = dirname(file.path);
  const present = new Set(await readdir(folder));
  const names = Array.from(
    { length: count },
    (_, at) => `${named[1]}-${String(at + 1).padStart(5, "0")}-of-${named[3]}.gguf`,
  );
  const missing = names.filter((name) => !present.has(name));
  if (missing.length > 0) {
    warnings.push(`The file is one part of ${count}, and ${missing.length} of them are not beside it.`);
  }
  return names.filter((name) => present.has(name)).map((name) => join(folder, name));
}

/** Reads the header from front to back, in the byte order that its version shows. */
class Header {
  isBigEndian = false;
  readonly #file: SourceFile;
  readonly #cursor: ByteCursor;
  readonly #signal: AbortSignal | undefined;
  #isOldest = false;

  constructor(file: SourceFile, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#cursor = ByteCursor.ofFile(file, magic.length, Math.min(file.size, maxHeader));
    this.#signal = signal;
  }

  /** From the start of the file. */
  get position(): number {
    return magic.length + this.#cursor.position;
  }

  async version(): Promise<number> {
    const bytes = await this.#next(4);
    // Versions are small: the end with the zeros is the high one.
    this.isBigEndian = bytes.readUInt16LE(0) === 0;
    const version = this.isBigEndian ? bytes.readUInt32BE(0) : bytes.readUInt32LE(0);
    if (version < 1 || version > 255) throw this.wrong(`It states version ${version} of its format.`);
    this.#isOldest = version === 1;
    return version;
  }

  async u32(): Promise<number> {
    return this.#readU32(await this.#next(4), 0);
  }

  async u64(): Promise<bigint> {
    if (this.#isOldest) return BigInt(await this.u32());
    const bytes = await this.#next(8);
    return this.isBigEndian ? bytes.readBigUInt64BE(0) : bytes.readBigUInt64LE(0);
  }

  /** A number of things, each of which takes up at least a byte. */
  async count(limit: number, what: string): Promise<number> {
    const count = await this.u64();
    if (count > BigInt(Math.min(limit, this.#file.size))) throw this.wrong(`It claims ${count} ${what}.`);
    return Number(count);
  }

  async text(limit: number): Promise<string> {
    return (await this.#next(await this.#length(limit))).toString("utf8");
  }

  async scalar(type: number): Promise<Scalar> {
    if (type === stringType) {
      const length = await this.#length(maxHeader);
      if (length <= maxKeptText) return (await this.#next(length)).toString("utf8");
      await this.#cursor.skip(length);
      return "";
    }
    const size = fixedSizes[type];
    if (size === undefined) throw this.wrong(`An entry of its metadata has the unknown type ${type}.`);
    const bytes = await this.#next(size);
    return numberIn(this.isBigEndian ? bytes : Buffer.from(bytes).reverse(), type);
  }

  /** Goes over a list and returns how many items it has. */
  async skipList(): Promise<number> {
    const type = await this.u32();
    const count = await this.count(maxHeader, "items in a list");
    const size = fixedSizes[type];
    if (size !== undefined) await this.#cursor.skip(count * size);
    else if (type === stringType) await this.#skipTexts(count);
    // llama.cpp refuses lists of lists, too
    else throw this.wrong(`A list in its metadata has items of type ${type}.`);
    return count;
  }

  wrong(why: string): Error {
    return damaged(this.#file.path, why);
  }

  /** A vocabulary has hundreds of thousands of texts: nothing is awaited or copied while they lie in the window. */
  async #skipTexts(count: number): Promise<void> {
    const prefix = this.#isOldest ? 4 : 8;
    for (let seen = 0; seen < count; ) {
      throwIfAborted(this.#signal);
      await this.#cursor.require(prefix);
      const view = this.#cursor.view();
      let at = 0;
      while (seen < count && at + prefix <= view.length) {
        const low = this.#readU32(view, at + (this.isBigEndian ? prefix - 4 : 0));
        const high = this.#isOldest ? 0 : this.#readU32(view, at + (this.isBigEndian ? 0 : 4));
        at += prefix + low + high * 2 ** 32;
        seen++;
      }
      await this.#cursor.skip(at);
    }
  }

  #readU32(bytes: Buffer, at: number): number {
    return this.isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  async #length(limit: number): Promise<number> {
    const length = await this.u64();
    if (length > BigInt(Math.min(limit, this.#file.size))) {
      throw this.wrong(`A text in its header claims ${length} bytes.`);
    }
    return Number(length);
  }

  async #next(length: number): Promise<Buffer> {
    throwIfAborted(this.#signal);
    await this.#cursor.require(length);
    return this.#cursor.take(length);
  }
}

/** A number of the file's fixed-size types, from its bytes with the high one first. */
function numberIn(bytes: Buffer, type: number): number | boolean {
  switch (type) {
    case 0:
    case 2:
    case 4:
      return bytes.readUIntBE(0, bytes.length);
    case 1:
    case 3:
    case 5:
      return bytes.readIntBE(0, bytes.length);
    case 6:
      return bytes.readFloatBE(0);
    case 7:
      return bytes[0] !== 0;
    case 10:
      return Number(bytes.readBigUInt64BE(0));
    case 11:
      return Number(bytes.readBigInt64BE(0));
    default:
      return bytes.readDoubleBE(0);
  }
}
