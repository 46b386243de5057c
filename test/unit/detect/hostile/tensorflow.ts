import { rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { bytes, type HostileFile, mutations } from "./hostile-file.js";
import { code, folder, folderWith, GiB, nestedLists, nestedObjects, sparse } from "./network-bytes.js";
import { type ZipPart, zipBytes } from "./zip-bytes.js";

const metadata: ZipPart = { name: "metadata.json", content: Buffer.from('{"keras_version": "3.0.0"}') };
const archive = (config: string): Buffer =>
  zipBytes([
    metadata,
    { name: "config.json", content: Buffer.from(config) },
    { name: "model.weights.h5", content: Buffer.alloc(8) },
  ]);
const layers = (list: string): string => `{"class_name":"Sequential","config":{"layers":${list}}}`;

const keras: HostileFile[] = [
  ...mutations("tensorflow/sequential.keras"),
  ...mutations("tensorflow/legacy.h5"),
  bytes("Keras: a configuration that is no JSON", archive("{"), "error"),
  bytes("Keras: a configuration that is a list", archive("[]"), "error"),
  bytes("Keras: nested lists", () => archive(`{"config": ${nestedLists(3_000_000)}}`)),
  bytes("Keras: nested objects", () => archive(nestedObjects(1_000_000))),
  bytes("Keras: a million layers", () => archive(layers(`[${"{},".repeat(1_000_000)}{}]`)), "error"),
  bytes("Keras: layers that are a text", archive(layers('"abc"'))),
  bytes(
    "Keras: a layer that would import",
    (canary) => archive(`{"module":"os","class_name":"system","config":{"command":"touch ${canary}"}}`),
    { warning: /os\.system/ },
  ),
  bytes(
    "Keras: bytecode in a layer",
    archive(layers('[{"class_name":"Lambda","config":{"function":"4wE"}}]')),
    {
      warning: /Lambda layer, which is Python code/,
    },
  ),
  bytes(
    "Keras: names of JavaScript",
    archive('{"__proto__":{"config":1},"class_name":"__proto__","config":{"layers":[{"name":"__proto__"}]}}'),
  ),
  bytes(
    "Keras: shapes that are none",
    archive(
      layers('[{"class_name":"InputLayer","config":{"batch_shape":[-1,1e308,"a"],"name":"\\u001b[2J"}}]'),
    ),
  ),
  bytes(
    "Keras: a bomb of 200 MB",
    () =>
      zipBytes([
        metadata,
        { name: "config.json", content: Buffer.alloc(200 * 1024 * 1024, " "), deflate: true },
        { name: "model.weights.h5", content: Buffer.alloc(8) },
      ]),
    "error",
  ),
  bytes(
    "Keras: metadata of 2 GB",
    zipBytes([
      { ...metadata, size: 2 * GiB },
      { name: "config.json", content: Buffer.from("{}") },
    ]),
    "error",
  ),
  bytes(
    "Keras: no weights",
    zipBytes([metadata, { name: "config.json", content: Buffer.from("{}") }]),
    "error",
  ),
  bytes("Keras HDF5: nothing behind its signature", "\x89HDF\r\n\x1a\nkeras_version"),
  bytes(
    "Keras HDF5: brackets without an end",
    () => `\x89HDF\r\n\x1a\nkeras_version model_config${'{"class_name":"'.repeat(5000)}`,
  ),
  sparse(
    "Keras HDF5: 100 GB of holes",
    Buffer.from("\x89HDF\r\n\x1a\nkeras_version layer_names", "latin1"),
    100 * GiB,
  ),
];

/** A length-delimited field. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const digits: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) digits.push((left % 0x80) + 0x80);
  digits.push(left);
  return Buffer.from(digits);
}

function nestedMessages(depth: number): Buffer {
  let message: Buffer = Buffer.alloc(0);
  for (let at = 0; at < depth; at++) message = field(2, message);
  return message;
}

const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => one));
const nothing = Buffer.alloc(0);
const graph = (
  name: string,
  content: (canary: string) => Buffer,
  expected?: HostileFile["expected"],
): HostileFile => folderWith(`SavedModel: ${name}`, "saved_model.pb", content, expected);
const hole = (name: string, start: Buffer): HostileFile => ({
  name: `SavedModel: ${name}`,
  make(parent, canary) {
    graph(name, () => start).make(parent, canary);
    truncateSync(join(parent, "saved_model.pb"), 20 * GiB);
    return parent;
  },
});

const savedModel: HostileFile[] = [
  graph("an empty graph", () => nothing, "error"),
  graph("no protobuf", () => Buffer.from("not a protobuf at all"), "error"),
  graph("a graph of 2^63 bytes", () => Buffer.from("12ffffffffffffffff7f", "hex"), "error"),
  graph("a graph of 2 GB", () => Buffer.concat([Buffer.from([0x12]), varint(2 * GiB)]), "error"),
  graph("a number without an end", () => Buffer.alloc(1000, 0xff), "error"),
  graph("messages 3,000 deep", () => nestedMessages(3000)),
  graph("100,000 graphs", () => many(100_000, field(2, nothing)), "error"),
  graph("100,000 signatures", () => field(2, many(100_000, field(5, field(1, Buffer.from("s"))))), "error"),
  graph("a name of 1 MB", () => field(2, field(5, field(1, Buffer.alloc(1_000_000, "n")))), "error"),
  graph(
    "a tensor of 1,000 dimensions",
    () => {
      const shape = field(3, many(1000, field(2, nothing)));
      const tensor = Buffer.concat([field(1, Buffer.from("x")), field(2, shape)]);
      return field(2, field(5, field(2, field(1, tensor))));
    },
    "error",
  ),
  graph("names that are code", (canary) =>
    field(
      2,
      field(5, Buffer.concat([field(1, Buffer.from(`\u001b[2J"; ${code(canary)}`)), field(2, nothing)])),
    ),
  ),
  graph("5 MB of empty fields", () => field(2, Buffer.alloc(5_000_000, Buffer.from([0x1a, 0x00])))),
  hole("20 GB of holes", Buffer.from([0x08, 0x01])),
  hole("a graph of 20 GB in a hole", Buffer.concat([Buffer.from([0x12]), varint(20 * GiB - 6)])),
  ...[1000, 4000, 8000, 11_000].map((length) =>
    folder(
      `SavedModel: cut after ${length} bytes`,
      "tensorflow/saved-model",
      (path) => truncateSync(join(path, "saved_model.pb"), length),
      "error",
    ),
  ),
  folder(
    "SavedModel: variables that link out of the folder",
    "tensorflow/saved-model",
    (path) => {
      rmSync(join(path, "variables", "variables.index"));
      symlinkSync("/etc/hostname", join(path, "variables", "variables.index"));
    },
    "error",
  ),
  {
    name: "SavedModel: a graph that links to itself",
    make(parent) {
      symlinkSync("saved_model.pb", join(parent, "saved_model.pb"));
      return parent;
    },
  },
];

export const tensorflow: HostileFile[] = [...keras, ...savedModel];
