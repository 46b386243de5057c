import { bytes, fixture, type HostileFile, mutations } from "./hostile-file.js";
import { zipBytes } from "./zip-bytes.js";

const schema = Buffer.from(
  '{"__class__":"Pipeline","__module__":"sklearn.pipeline","__loader__":"ObjectNode"}',
);
const small = Buffer.from("{}");

/** A skops node of `deep` lists in lists, as JSON text. */
function nested(deep: number): Buffer {
  return Buffer.from(
    `{"__class__":"a","__module__":"b","__loader__":"ObjectNode","content":${"[".repeat(deep)}${"]".repeat(deep)}}`,
  );
}

export const zips: HostileFile[] = [
  ...mutations("sklearn/pipeline.skops"),
  bytes(
    "a zip bomb: 11 MB of spaces in schema.json",
    () => zipBytes([{ name: "schema.json", content: Buffer.alloc(11_000_000, " "), deflate: true }]),
    "error",
  ),
  bytes(
    "a zip bomb: 150 MB of zeros in schema.json",
    () => zipBytes([{ name: "schema.json", content: Buffer.alloc(150_000_000), deflate: true }]),
    "error",
  ),
  bytes(
    "a zip bomb that states a small size",
    () => zipBytes([{ name: "schema.json", content: Buffer.alloc(50_000_000), deflate: true, size: 100 }]),
    "error",
  ),
  bytes(
    "a zip entry that states 4 GB",
    zipBytes([{ name: "schema.json", content: schema, size: 0xfffffffe, compressedSize: 0xfffffffe }]),
    "error",
  ),
  bytes(
    "a zip entry beyond the end",
    zipBytes([{ name: "schema.json", content: schema, offset: 0x7fffffff }]),
    "error",
  ),
  bytes(
    "a zip entry that is its own directory",
    zipBytes([{ name: "schema.json", content: schema, offset: 60 }]),
    "error",
  ),
  bytes(
    "a zip entry that is encrypted",
    zipBytes([{ name: "schema.json", content: schema, flags: 1 }]),
    "error",
  ),
  bytes(
    "a zip entry of an unknown method",
    zipBytes([{ name: "schema.json", content: schema, method: 99 }]),
    "error",
  ),
  bytes(
    "a zip directory beyond the end",
    zipBytes([{ name: "schema.json", content: schema }], { start: 0x7fffffff }),
    "error",
  ),
  bytes(
    "a zip directory of 65,000 entries that are not there",
    zipBytes([{ name: "a", content: small }], { count: 65_000 }),
    "error",
  ),
  bytes(
    "a zip file of 60,000 entries",
    () =>
      zipBytes(
        Array.from({ length: 60_000 }, (_, index) => ({ name: `${index}`, content: small })),
        {},
      ),
    "error",
  ),
  bytes(
    "a zip file with long names",
    () =>
      zipBytes(
        Array.from({ length: 300 }, (_, index) => ({
          name: `${index}${"n".repeat(60_000)}`,
          content: small,
        })),
      ),
    "error",
  ),
  bytes(
    "a zip file whose names lead out",
    zipBytes([
      { name: "../../etc/passwd", content: small },
      { name: "/etc/passwd", content: small },
    ]),
  ),
  bytes(
    "a zip file with a name twice",
    zipBytes([
      { name: "schema.json", content: small },
      { name: "schema.json", content: schema },
    ]),
  ),
  bytes("a zip file without entries", Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), zipBytes([])])),
  bytes(
    "a zip64 directory of 2^63 entries",
    () => {
      const end64 = Buffer.alloc(56);
      end64.write("PK\x06\x06", 0, "latin1");
      end64.writeBigUInt64LE(44n, 4);
      for (const at of [24, 32, 40, 48]) end64.writeBigUInt64LE(2n ** 63n, at);
      const locator = Buffer.alloc(20);
      locator.write("PK\x06\x07", 0, "latin1");
      locator.writeBigUInt64LE(4n, 8);
      locator.writeUInt32LE(1, 16);
      const end = Buffer.alloc(22, 0xff);
      end.write("PK\x05\x06", 0, "latin1");
      end.writeUInt16LE(0, 4);
      end.writeUInt16LE(0, 6);
      end.writeUInt16LE(0, 20);
      return Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), end64, locator, end]);
    },
    "error",
  ),
  bytes("a zip head alone", Buffer.from("PK\x03\x04", "latin1"), "error"),
  bytes(
    "a zip head and zeros",
    Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), Buffer.alloc(100_000)]),
    "error",
  ),
  bytes(
    "a zip file of another program",
    zipBytes([{ name: "word/document.xml", content: small }]),
    "unknown",
  ),
  bytes(
    "a zip file of zip files",
    zipBytes([{ name: "a.zip", content: zipBytes([{ name: "schema.json", content: schema }]) }]),
    "unknown",
  ),
  bytes(
    "a schema.json of broken JSON",
    zipBytes([{ name: "schema.json", content: Buffer.from('{"__class__":') }]),
  ),
  bytes(
    "a schema.json of 100,000 lists in lists",
    zipBytes([{ name: "schema.json", content: nested(100_000) }]),
  ),
  bytes("a schema.json of 4 million lists", () =>
    zipBytes([
      {
        name: "schema.json",
        content: Buffer.from(
          `{"__class__":"a","__module__":"b","__loader__":"ObjectNode","content":[${"[],".repeat(3_500_000)}[]]}`,
        ),
      },
    ]),
  ),
  bytes(
    "a schema.json whose keys are those of every object",
    zipBytes([
      {
        name: "schema.json",
        content: Buffer.from(
          '{"__proto__":{"x":1},"constructor":{},"__class__":"toString","__module__":"hasOwnProperty","__loader__":"ObjectNode","content":{"content":{"__proto__":{"file":"x"}}}}',
        ),
      },
    ]),
  ),
  bytes("a .npy header that claims 4 GB", () => {
    const npy = Buffer.concat([
      Buffer.from("\x93NUMPY\x02\x00\xff\xff\xff\xff", "latin1"),
      Buffer.alloc(50, " "),
    ]);
    const tree =
      '{"__class__":"A","__module__":"sklearn.a","__loader__":"ObjectNode","content":{"content":{"classes_":{"file":"a.npy"}}}}';
    return zipBytes([
      { name: "schema.json", content: Buffer.from(tree) },
      { name: "a.npy", content: npy },
    ]);
  }),
  bytes(
    "a skops file after 1 MB of something else",
    Buffer.concat([Buffer.alloc(1_000_000, 1), fixture("sklearn/pipeline.skops")]),
    "unknown",
  ),
];
