import { UserError } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { damaged } from "./damaged.js";
import type { DataType, ModelField } from "./detected.js";
import { type WireField, WireReader } from "./protobuf.js";
import type { SourceFile } from "./source.js";

/** What a ModelProto says of itself (onnx.proto), without its weights. */
export interface OnnxModel {
  irVersion: number;
  producer: { name: string; version: string };
  opsets: { domain: string; version: number }[];
  metadata: [string, string][];
  graphName: string;
  nodes: number;
  /** Of the main graph, without those that only give a weight its default. */
  inputs: OnnxValue[];
  outputs: OnnxValue[];
  /** The kinds of operators in `ai.onnx.ml`: what classical models are made of. */
  classicalOperators: ReadonlySet<string>;
  labels: (string | number)[];
  /** Files beside the model that hold weights: how many bytes each needs to have. */
  external: ReadonlyMap<string, number>;
}

export interface OnnxValue extends ModelField {
  /** Spelt out where it is no tensor: `sequence<map<int64, float32>>`. */
  type: string;
}

/** Numbers of fields in onnx.proto. */
const model = { ir: 1, producer: 2, producerVersion: 3, graph: 7, opset: 8, metadata: 14, highest: 26 };
const graphFields = { node: 1, name: 2, initializer: 5, input: 11, output: 12, sparse: 15 };
const node = { operator: 4, attribute: 5, domain: 7 };
const attributeFields = {
  name: 1,
  tensor: 5,
  graph: 6,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  sparse: 22,
};
const tensor = { name: 8, external: 13 };

const dataTypes: Readonly<Record<number, DataType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "bfloat16",
};

const longestName = 4096;
const mostNames = 200_000;
const mostNameBytes = 32 * 1024 * 1024;
const mostFiles = 2000;
const mostLabels = 20_000;
const mostMetadata = 200;
const longestMetadata = 64 * 1024;
const newestIr = 100;

/**
 * Reads a file as a ModelProto. `undefined`: it is something else. The format has no magic number, so that a file
 * counts as broken only once it has said enough for no doubt: UserError `model_file`.
 */
export async function readOnnx(
  file: SourceFile,
  signal: AbortSignal | undefined,
): Promise<OnnxModel | undefined> {
  const reading = new OnnxReading(new WireReader(ByteCursor.ofFile(file), signal));
  try {
    return await reading.run(file.size);
  } catch (error) {
    if (error instanceof NotOnnx) return undefined;
    if (error instanceof UserError && error.code === "model_file" && !reading.sure) return undefined;
    throw error;
  }
}

/** Whether the first byte can be the key of a field of a ModelProto. */
export function mayBeOnnx(head: Buffer): boolean {
  const [key = 0] = head;
  const number = key >> 3;
  return head.length >= 8 && number >= 1 && number <= 14 && ((key & 7) === 0 || (key & 7) === 2);
}

class NotOnnx extends Error {}

class OnnxReading {
  readonly #wire: WireReader;
  readonly #found: OnnxModel & { classicalOperators: Set<string>; external: Map<string, number> } = {
    irVersion: 0,
    producer: { name: "", version: "" },
    opsets: [],
    metadata: [],
    graphName: "",
    nodes: 0,
    inputs: [],
    outputs: [],
    classicalOperators: new Set(),
    labels: [],
    external: new Map(),
  };
  readonly #weights = new Set<string>();
  readonly #seen = new Set<number>();
  #names = 0;
  #nameBytes = 0;
  #graphs = 0;
  #operators = 0;

  constructor(wire: WireReader) {
    this.#wire = wire;
  }

  /** Whether what was read can hardly be anything but ONNX. */
  get sure(): boolean {
    const { irVersion, producer, opsets } = this.#found;
    const signs = [producer.name !== "", this.#operators > 0, opsets.length > 0].filter(Boolean).length;
    return irVersion >= 1 && signs >= (this.#graphs > 0 ? 1 : 2);
  }

  async run(size: number): Promise<OnnxModel | undefined> {
    await this.#wire.message(size, (field) => this.#model(field));
    const { irVersion, inputs, outputs } = this.#found;
    if (irVersion < 1 || this.#graphs !== 1 || (outputs.length === 0 && this.#operators === 0))
      return undefined;
    return { ...this.#found, inputs: inputs.filter(({ name }) => !this.#weights.has(name)) };
  }

  #model(field: WireField): Promise<unknown> | undefined {
    const wire = this.#wire;
    const { type, number } = field;
    // An unknown field says that this is another kind of message
    if (number > model.highest || type === "fixed32" || type === "fixed64") throw new NotOnnx();
    // Each of these is there once; other formats are full of the same byte
    if (number <= model.graph) this.#once(number);
    const isNumber = number === model.ir || number === 5;
    if (isNumber !== (type === "varint")) throw new NotOnnx();
    switch (number) {
      case model.ir:
        if (field.value < 1 || field.value > newestIr) throw new NotOnnx();
        this.#found.irVersion = field.value;
        return;
      case model.producer:
        return this.#printable(field).then((text) => {
          this.#found.producer.name = text;
        });
      case model.producerVersion:
        return this.#printable(field).then((text) => {
          this.#found.producer.version = text;
        });
      case model.graph:
        this.#graphs += 1;
        return wire.message(field.value, (inner) => this.#graph(inner, true));
      case model.opset:
        return this.#opset(field);
      case model.metadata:
        return this.#metadata(field);
    }
    return;
  }

  #once(number: number): void {
    if (this.#seen.has(number)) throw new NotOnnx();
    this.#seen.add(number);
  }

  /** Text that a program writes for people. Anything else here means another format. */
  async #printable(field: WireField): Promise<string> {
    if (field.value > longestName) throw new NotOnnx();
    const text = await this.#wire.text(field, longestName);
    if (/[\p{Cc}\uFFFD]/u.test(text)) throw new NotOnnx();
    return text;
  }

  async #opset(field: WireField): Promise<void> {
    let domain = "";
    let version = 0;
    await this.#wire.message(field.value, (inner) => {
      if (inner.number === 2 && inner.type === "varint") version = inner.value;
      if (inner.number !== 1) return;
      return this.#printable(inner).then((text) => {
        domain = text;
      });
    });
    if (this.#found.opsets.length < 100) this.#found.opsets.push({ domain, version });
  }

  async #metadata(field: WireField): Promise<void> {
    const pair = await this.#pair(field, longestMetadata);
    if (this.#found.metadata.length < mostMetadata) this.#found.metadata.push(pair);
  }

  /** A StringStringEntryProto. A value that is too long is left empty. */
  async #pair(field: WireField, longest: number): Promise<[string, string]> {
    let key = "";
    let value = "";
    await this.#wire.message(field.value, (inner) => {
      if (inner.type !== "bytes" || inner.value > longest) return;
      return this.#wire.text(inner, longest).then((text) => {
        if (inner.number === 1) key = text;
        if (inner.number === 2) value = text;
      });
    });
    return [key, value];
  }

  #graph(field: WireField, isMain: boolean): Promise<unknown> | undefined {
    if (field.type !== "bytes") return;
    switch (field.number) {
      case graphFields.node:
        if (isMain) this.#found.nodes += 1;
        return this.#node(field);
      case graphFields.name:
        return isMain
          ? this.#name(field).then((name) => {
              this.#found.graphName = name;
            })
          : undefined;
      case graphFields.initializer:
        return this.#tensor(field, isMain);
      case graphFields.sparse:
        return this.#wire.message(field.value, (inner) =>
          inner.number <= 2 && inner.type === "bytes"
            ? this.#tensor(inner, isMain && inner.number === 1)
            : undefined,
        );
      case graphFields.input:
        return isMain ? this.#value(field, this.#found.inputs) : undefined;
      case graphFields.output:
        return isMain ? this.#value(field, this.#found.outputs) : undefined;
    }
    return;
  }

  async #name(field: WireField): Promise<string> {
    this.#names += 1;
    this.#nameBytes += field.value;
    if (this.#names > mostNames || this.#nameBytes > mostNameBytes) {
      throw damaged(this.#wire.cursor.path, "It has more names than any model.");
    }
    return await this.#wire.text(field, longestName);
  }

  /** Nodes are gone into for what they carry along: labels, weights, and graphs of their own. */
  async #node(field: WireField): Promise<void> {
    let operator = "";
    let isClassical = false;
    await this.#wire.message(field.value, (inner) => {
      if (inner.type !== "bytes") return;
      if (inner.number === node.attribute) return this.#attribute(inner);
      if (inner.number !== node.operator && inner.number !== node.domain) return;
      if (inner.value > 200) return;
      return this.#wire.text(inner, 200).then((text) => {
        if (inner.number === node.operator) operator = text;
        else isClassical = text === "ai.onnx.ml";
      });
    });
    if (/^\w+$/.test(operator)) this.#operators += 1;
    if (isClassical && this.#found.classicalOperators.size < 100)
      this.#found.classicalOperators.add(operator);
  }

  async #attribute(field: WireField): Promise<void> {
    const wire = this.#wire;
    let holdsLabels = false;
    const labels: (string | number)[] = [];
    await wire.message(field.value, (inner) => {
      if (inner.number === attributeFields.ints && holdsLabels) {
        return wire.numbers(inner, labels as number[], mostLabels);
      }
      if (inner.type !== "bytes") return;
      switch (inner.number) {
        case attributeFields.name:
          if (inner.value > 100) return;
          return wire.text(inner, 100).then((name) => {
            holdsLabels = name.startsWith("classlabels_");
          });
        case attributeFields.strings:
          if (!holdsLabels || labels.length >= mostLabels || inner.value > longestName) return;
          return wire.text(inner, longestName).then((label) => {
            labels.push(label);
          });
        case attributeFields.tensor:
        case attributeFields.tensors:
          return this.#tensor(inner, false);
        case attributeFields.graph:
        case attributeFields.graphs:
          return wire.message(inner.value, (part) => this.#graph(part, false));
        case attributeFields.sparse:
          return wire.message(inner.value, (part) =>
            part.number <= 2 && part.type === "bytes" ? this.#tensor(part, false) : undefined,
          );
      }
      return;
    });
    if (labels.length > 0) this.#found.labels = labels;
  }

  async #tensor(field: WireField, isWeight: boolean): Promise<void> {
    let location: string | undefined;
    let offset = 0;
    let length = 0;
    await this.#wire.message(field.value, (inner) => {
      if (inner.type !== "bytes") return;
      if (inner.number === tensor.name && isWeight) {
        return this.#name(inner).then((name) => {
          this.#weights.add(name);
        });
      }
      if (inner.number !== tensor.external) return;
      return this.#pair(inner, longestName).then(([key, value]) => {
        if (key === "location") location = value;
        if (key === "offset") offset = this.#size(value);
        if (key === "length") length = this.#size(value);
      });
    });
    if (location === undefined) return;
    const { external } = this.#found;
    external.set(location, Math.max(external.get(location) ?? 0, offset + length));
    if (external.size > mostFiles)
      throw damaged(this.#wire.cursor.path, "Its weights are in too many files.");
  }

  #size(text: string): number {
    const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(size))
      throw damaged(this.#wire.cursor.path, "A size of its weights is no number.");
    return size;
  }

  async #value(field: WireField, into: OnnxValue[]): Promise<void> {
    const value: OnnxValue = { name: "", dtype: "any", shape: undefined, type: "" };
    await this.#wire.message(field.value, (inner) => {
      if (inner.type !== "bytes") return;
      if (inner.number === 1) {
        return this.#name(inner).then((name) => {
          value.name = name;
        });
      }
      return inner.number === 2 ? this.#type(inner, value, 0) : undefined;
    });
    into.push(value);
  }

  /** A TypeProto, into the value's dtype and shape for a tensor, else into its type only. */
  async #type(field: WireField, value: OnnxValue, depth: number): Promise<void> {
    const wire = this.#wire;
    if (depth > 8) throw damaged(wire.cursor.path, "A type in it is nested too deeply.");
    const inside = async (inner: WireField, numberOfType: number): Promise<string> => {
      const part: OnnxValue = { name: "", dtype: "any", shape: undefined, type: "" };
      let key = "";
      await wire.message(inner.value, (one) => {
        if (one.number === 1 && one.type === "varint") key = `${dataTypes[one.value] ?? "any"}, `;
        return one.number === numberOfType && one.type === "bytes"
          ? this.#type(one, part, depth + 1)
          : undefined;
      });
      return `${key}${part.type || "any"}`;
    };
    await wire.message(field.value, (inner) => {
      if (inner.type !== "bytes") return;
      if (inner.number === 1 || inner.number === 8) return this.#tensorType(inner, value);
      if (inner.number !== 4 && inner.number !== 5 && inner.number !== 9) return;
      const name = inner.number === 4 ? "sequence" : inner.number === 5 ? "map" : "optional";
      return inside(inner, inner.number === 5 ? 2 : 1).then((content) => {
        value.type = `${name}<${content}>`;
      });
    });
  }

  async #tensorType(field: WireField, value: OnnxValue): Promise<void> {
    const wire = this.#wire;
    await wire.message(field.value, (inner) => {
      if (inner.number === 1 && inner.type === "varint") {
        value.dtype = dataTypes[inner.value] ?? "any";
        value.type = value.dtype;
      }
      if (inner.number !== 2 || inner.type !== "bytes") return;
      const shape: (number | string | null)[] = [];
      value.shape = shape;
      return wire.message(inner.value, (dimension) => {
        if (dimension.number !== 1 || dimension.type !== "bytes") return;
        if (shape.length >= 64) throw damaged(wire.cursor.path, "A shape in it has too many dimensions.");
        const at = shape.push(null) - 1;
        return wire.message(dimension.value, (size) => {
          if (size.number === 1 && size.type === "varint") shape[at] = size.value > 0 ? size.value : null;
          if (size.number !== 2 || size.type !== "bytes") return;
          return this.#name(size).then((name) => {
            shape[at] = name === "" ? null : name;
          });
        });
      });
    });
  }
}
