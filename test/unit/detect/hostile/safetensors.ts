import { bytes, type HostileFile, mutations } from "./hostile-file.js";
import { GiB, joined, nestedLists, nestedObjects, sparse, text, u64 } from "./network-bytes.js";

const tensor = (fields: string): Buffer => text(`{"t": ${fields}}`);
const broken = (name: string, ...parts: (Buffer | string)[]): HostileFile =>
  bytes(`safetensors: ${name}`, joined(...parts), "error");
const header = (
  name: string,
  content: () => string,
  expected: HostileFile["expected"] = "error",
): HostileFile => bytes(`safetensors: ${name}`, () => text(content()), expected);

export const safetensors: HostileFile[] = [
  ...mutations("torch/weights.safetensors"),
  broken("a header of 2^39 bytes", u64(2n ** 39n), "{}"),
  broken("a header of 2 GB", u64(2 * GiB), "{}"),
  broken("a header of one byte more than there is", u64(3), "{}"),
  broken("a header that is no JSON", u64(8), "{nothing"),
  header("a header of nested objects", () => nestedObjects(500_000)),
  header("a header of nested lists", () => `{"t":${nestedLists(1_000_000)}}`),
  header("a header of 8 MB of empty lists", () => `{"t":[${"[],".repeat(2_700_000)}[]]}`),
  header("a header of 8 MB of empty objects", () => `{"t":[${"{},".repeat(2_700_000)}{}]}`),
  header("a header of 15 MB", () => `{"t":[${"{},".repeat(5_000_000)}{}]}`),
  header(
    "250,000 tensors of nothing",
    () => `{${Array.from({ length: 250_000 }, (_, at) => `"${at}":{}`).join(",")}}`,
  ),
  broken("a tensor that is a number", text('{"t": 1}')),
  broken("a tensor that starts before the file", tensor('{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}')),
  broken(
    "a tensor that ends before it starts",
    tensor('{"dtype":"F32","shape":[1],"data_offsets":[4,0]}'),
    "abcd",
  ),
  broken("a tensor behind the end", tensor('{"dtype":"F32","shape":[1],"data_offsets":[0,2000000000]}')),
  broken("a tensor at 2^63", tensor('{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775808]}')),
  broken("a shape of 10^300", tensor('{"dtype":"F32","shape":[1e300,1e300],"data_offsets":[0,0]}')),
  broken("a negative shape", tensor('{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}'), "abcd"),
  broken("a shape that does not fit", tensor('{"dtype":"F32","shape":[2],"data_offsets":[0,4]}'), "abcd"),
  broken("a type that is an object", tensor('{"dtype":{},"shape":[1],"data_offsets":[0,4]}'), "abcd"),
  broken("bytes that no tensor has", tensor('{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'), "abcdef"),
  bytes(
    "safetensors: an unknown type",
    joined(tensor('{"dtype":"F4","shape":[1],"data_offsets":[0,4]}'), "abcd"),
  ),
  bytes(
    "safetensors: a tensor named __proto__",
    text('{"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
  ),
  bytes("safetensors: metadata that is a list", text('{"__metadata__": [1, 2, 3]}')),
  bytes(
    "safetensors: metadata with __proto__",
    text('{"__metadata__": {"__proto__": "x", "constructor": "y"}}'),
  ),
  sparse("safetensors: a header of 90 GB in a hole", joined(u64(90 * GiB), "{"), 100 * GiB, "error"),
];
