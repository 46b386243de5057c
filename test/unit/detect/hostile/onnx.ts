import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytes, fixture, type HostileFile, mutations } from "./hostile-file.js";

/** The wire format, as far as these files need it. */
function varint(value: bigint | number): Buffer {
  let left = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (left > 127n) {
    out.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  return Buffer.from([...out, Number(left)]);
}

function field(number: number, content: Buffer | string, claimed?: bigint): Buffer {
  const body = typeof content === "string" ? Buffer.from(content) : content;
  return Buffer.concat([varint(number * 8 + 2), varint(claimed ?? body.length), body]);
}

function number(at: number, value: bigint | number): Buffer {
  return Buffer.concat([varint(at * 8), varint(value)]);
}

const head = Buffer.concat([number(1, 8), field(2, "pytorch")]);
const model = (graph: Buffer): Buffer => Buffer.concat([head, field(7, graph), field(8, number(2, 17))]);
const valueInfo = (name: string, type: Buffer): Buffer => Buffer.concat([field(1, name), field(2, type)]);
const output = field(12, valueInfo("y", field(1, number(1, 1))));

/** A model whose one weight is outside of the file. */
function external(entries: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(entries).map(([key, value]) =>
    field(13, Buffer.concat([field(1, key), field(2, value)])),
  );
  const weight = Buffer.concat([number(1, 4), number(2, 1), field(8, "w"), ...pairs, number(14, 1)]);
  return model(Buffer.concat([field(5, weight), output]));
}

function nestedGraphs(depth: number): Buffer {
  // From the inside out: graph { node { attribute { graph } } }
  let graph: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level += 1) graph = field(1, field(5, field(6, graph)));
  return graph;
}

function nestedTypes(depth: number): Buffer {
  let type = field(1, number(1, 1));
  for (let level = 0; level < depth; level += 1) type = field(4, field(1, type));
  return field(12, valueInfo("y", type));
}

function beside(
  name: string,
  location: string,
  make: (folder: string) => void,
  expected: HostileFile["expected"] = "error",
  more: Readonly<Record<string, string>> = {},
): HostileFile {
  return {
    name: `ONNX with weights in ${name}`,
    make(folder) {
      const inner = join(folder, "model");
      mkdirSync(inner);
      make(inner);
      writeFileSync(join(inner, "model.onnx"), external({ location, ...more }));
      return join(inner, "model.onnx");
    },
    ...(expected ? { expected } : {}),
  };
}

const nothing = (): void => {};

export const onnx: HostileFile[] = [
  ...mutations("onnx/linear.onnx"),
  ...mutations("onnx/zipmap.onnx"),
  beside("a file of the folder above", "../secret", (folder) =>
    writeFileSync(join(folder, "..", "secret"), "x"),
  ),
  beside("a file of the system", "/etc/passwd", nothing),
  beside("a folder and back out", "a/../../secret", nothing),
  beside("a file of Windows", "C:\\Windows\\win.ini", nothing),
  beside("a share of Windows", "\\\\server\\share", nothing),
  beside("a path with a zero byte", "a\0b", nothing),
  beside("a path of nothing", "", nothing),
  beside("a path of 4 KB", "a".repeat(4000), nothing),
  beside("a file that is missing", "weights.bin", nothing),
  beside(
    "a file that is too short",
    "weights.bin",
    (folder) => writeFileSync(join(folder, "weights.bin"), "x"),
    "error",
    { length: "48" },
  ),
  beside(
    "a file at an offset of 2^62",
    "weights.bin",
    (folder) => writeFileSync(join(folder, "weights.bin"), "x"),
    "error",
    { offset: String(2n ** 62n) },
  ),
  beside(
    "a file at an offset that is no number",
    "weights.bin",
    (folder) => writeFileSync(join(folder, "weights.bin"), "x"),
    "error",
    { offset: "__import__('os')" },
  ),
  beside("a link to a file of the system", "weights.bin", (folder) =>
    symlinkSync("/etc/passwd", join(folder, "weights.bin")),
  ),
  beside("a link to itself", "weights.bin", (folder) =>
    symlinkSync("weights.bin", join(folder, "weights.bin")),
  ),
  beside("a folder that is a link", "w/weights.bin", (folder) => symlinkSync("/etc", join(folder, "w"))),
  beside(
    "a named pipe",
    "weights.bin",
    (folder) => void execFileSync("mkfifo", [join(folder, "weights.bin")]),
  ),
  beside("a device", "weights.bin", (folder) => symlinkSync("/dev/zero", join(folder, "weights.bin"))),
  beside("a folder", "weights.bin", (folder) => mkdirSync(join(folder, "weights.bin"))),
  bytes(
    "ONNX whose weights are in 5,000 files",
    () => {
      const weights = Array.from({ length: 5000 }, (_, index) =>
        field(5, field(13, Buffer.concat([field(1, "location"), field(2, `w${index}`)]))),
      );
      return model(Buffer.concat([...weights, output]));
    },
    "error",
  ),
  bytes(
    "ONNX whose graph claims 2^63 bytes",
    Buffer.concat([head, field(8, number(2, 17)), field(7, output, 2n ** 63n)]),
    "error",
  ),
  bytes(
    "ONNX whose graph claims 2 GB",
    Buffer.concat([head, field(8, number(2, 17)), field(7, output, 2n ** 31n)]),
    "error",
  ),
  bytes(
    "ONNX with a weight that claims 2 GB",
    model(Buffer.concat([output, field(5, field(9, "x", 2n ** 31n))])),
    "error",
  ),
  bytes(
    "ONNX with a name of 30 MB",
    () => model(field(12, field(1, Buffer.alloc(30_000_000, "n")))),
    "error",
  ),
  bytes(
    "ONNX with a producer of 30 MB",
    () => Buffer.concat([number(1, 8), field(2, Buffer.alloc(30_000_000, "n"))]),
    "unknown",
  ),
  bytes(
    "ONNX with graphs in each other, 10,000 deep",
    () => model(Buffer.concat([field(1, field(4, "If")), nestedGraphs(3000), output])),
    "error",
  ),
  bytes("ONNX with types in each other, 1,000 deep", model(nestedTypes(1000)), "error"),
  bytes("ONNX with 15 million fields", () =>
    model(
      Buffer.concat([
        output,
        field(1, Buffer.concat([field(4, "Add"), Buffer.from("\x18\x01".repeat(15_000_000), "latin1")])),
      ]),
    ),
  ),
  bytes(
    "ONNX with 25 million fields",
    () =>
      model(
        Buffer.concat([
          output,
          field(1, Buffer.concat([field(4, "Add"), Buffer.from("\x18\x01".repeat(25_000_000), "latin1")])),
        ]),
      ),
    "error",
  ),
  bytes(
    "ONNX with 250,000 weights",
    () =>
      model(
        Buffer.concat([
          output,
          ...Array.from({ length: 250_000 }, (_, index) => field(5, field(8, `w${index}`))),
        ]),
      ),
    "error",
  ),
  bytes(
    "ONNX with a million dimensions",
    model(
      field(
        12,
        valueInfo(
          "y",
          field(
            1,
            field(2, Buffer.concat(Array.from({ length: 1_000_000 }, () => field(1, Buffer.alloc(0))))),
          ),
        ),
      ),
    ),
    "error",
  ),
  bytes(
    "ONNX with negative dimensions",
    model(field(12, valueInfo("y", field(1, field(2, field(1, number(1, -1))))))),
  ),
  bytes(
    "ONNX with a number of 11 bytes",
    Buffer.concat([head, Buffer.from([0x38, ...Array(11).fill(0xff), 1])]),
  ),
  bytes(
    "ONNX with labels by the million",
    () =>
      model(
        Buffer.concat([
          field(
            1,
            Buffer.concat([
              field(4, "ZipMap"),
              field(5, Buffer.concat([field(1, "classlabels_int64s"), field(8, Buffer.alloc(3_000_000, 1))])),
            ]),
          ),
          output,
        ]),
      ),
    "error",
  ),
  bytes("ONNX with two graphs", Buffer.concat([model(output), field(7, output)])),
  bytes(
    "ONNX with nothing but its version",
    Buffer.concat([number(1, 8), number(1, 8), number(1, 8), number(1, 8)]),
    "unknown",
  ),
  bytes("10 MB of ONNX versions", () => Buffer.from("\x08\x08".repeat(5_000_000), "latin1"), "unknown"),
  {
    name: "ONNX of 8 GB, nearly all of it a hole",
    make(folder) {
      const path = join(folder, "model.onnx");
      const claimed = 8_000_000_000n;
      const weight = Buffer.concat([field(8, "w"), varint(9 * 8 + 2), varint(claimed)]);
      const graphLength =
        BigInt(output.length + 1 + varint(BigInt(weight.length) + claimed).length + weight.length) + claimed;
      const start = Buffer.concat([
        head,
        field(8, number(2, 17)),
        varint(7 * 8 + 2),
        varint(graphLength),
        output,
        varint(5 * 8 + 2),
        varint(BigInt(weight.length) + claimed),
        weight,
      ]);
      writeFileSync(path, start);
      truncateSync(path, start.length + Number(claimed));
      return path;
    },
  },
  bytes(
    "ONNX after 1 MB of something else",
    Buffer.concat([Buffer.alloc(1_000_000, 0x99), fixture("onnx/linear.onnx")]),
    "unknown",
  ),
];
