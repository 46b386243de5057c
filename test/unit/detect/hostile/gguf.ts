import { bytes, type HostileFile, mutations } from "./hostile-file.js";
import { code, GiB, joined, sparse, text, u32, u64 } from "./network-bytes.js";

const most = 2n ** 63n;

const head = (tensors: number | bigint, entries: number | bigint): Buffer =>
  joined("GGUF", u32(3), u64(tensors), u64(entries));
const entry = (key: string, type: number, ...value: Buffer[]): Buffer =>
  joined(text(key), u32(type), ...value);
const broken = (name: string, ...parts: Buffer[]): HostileFile =>
  bytes(`GGUF: ${name}`, Buffer.concat(parts), "error");

export const gguf: HostileFile[] = [
  ...mutations("gguf/little.gguf"),
  ...mutations("gguf/big.gguf"),
  broken("nothing behind the magic", Buffer.from("GGUF")),
  broken("version 0", joined("GGUF", u32(0), u64(0), u64(0))),
  broken("version 2^32 - 1", joined("GGUF", u32(2 ** 32 - 1), u64(0), u64(0))),
  broken("2^63 tensors", head(most, 0)),
  broken("2^63 entries", head(0, most)),
  broken("2^32 entries", head(0, 2 ** 32)),
  broken("100,000 entries and none there", head(0, 100_000)),
  broken("a key of 2^63 bytes", head(0, 1), u64(most)),
  broken("a key of 2 GB", head(0, 1), u64(2 * GiB)),
  broken("a text of 2^63 bytes", head(0, 1), entry("k", 8, u64(most))),
  broken("a text of 2 GB", head(0, 1), entry("k", 8, u64(2 * GiB))),
  broken("a list of 2^63 texts", head(0, 1), entry("k", 9, u32(8), u64(most))),
  broken("a list of 2^63 numbers", head(0, 1), entry("k", 9, u32(10), u64(most))),
  broken("a list of lists", head(0, 1), entry("k", 9, u32(9), u64(1), u32(9), u64(1))),
  broken("a list of an unknown type", head(0, 1), entry("k", 9, u32(77), u64(1))),
  broken(
    "texts in a list that claim 2^62 bytes",
    head(0, 1),
    entry("k", 9, u32(8), u64(1000)),
    Buffer.alloc(16_000, 0x3f),
  ),
  broken("a value of an unknown type", head(0, 1), entry("k", 77, u64(1))),
  broken("a tensor of 2^32 - 1 dimensions", head(1, 0), text("t"), u32(2 ** 32 - 1)),
  broken(
    "a tensor of 2^252 elements",
    head(1, 0),
    text("t"),
    u32(4),
    u64(most),
    u64(most),
    u64(most),
    u64(most),
    u32(0),
    u64(0),
  ),
  broken("a tensor at 2^63", head(1, 0), text("t"), u32(1), u64(1), u32(0), u64(most)),
  bytes("GGUF: an alignment of 0", joined(head(0, 1), entry("general.alignment", 4, u32(0)))),
  bytes(
    "GGUF: an alignment of 2^32 - 1",
    joined(head(0, 1), entry("general.alignment", 4, u32(2 ** 32 - 1))),
  ),
  bytes(
    "GGUF: split into 2^31 files",
    joined(
      head(0, 2),
      entry("general.architecture", 8, text("llama")),
      entry("split.count", 4, u32(2 ** 31)),
    ),
    { warning: /one part of 2147483648/ },
  ),
  bytes("GGUF: names that are code", (canary) =>
    joined(
      head(0, 3),
      entry("general.architecture", 8, text(`'); ${code(canary)} #\u001b[2J`)),
      entry("general.name", 8, text(`{{ ''.__class__ }}<% ${code(canary)} %>$(touch ${canary})\n\r`)),
      entry("__proto__", 8, text("polluted")),
    ),
  ),
  sparse(
    "GGUF: 100 GB of empty texts",
    joined(head(0, 1), entry("k", 9, u32(8), u64(2 ** 26 - 1))),
    100 * GiB,
    "error",
  ),
  sparse("GGUF: 100 GB of empty entries", head(0, 100_000), 100 * GiB),
  sparse("GGUF: 100,000 empty tensors", head(100_000, 0), 10 * GiB),
];
