import { deflateSync, gzipSync } from "node:zlib";
import { bytes, fixture, type HostileFile, mutations } from "./hostile-file.js";

function text(value: string): Buffer {
  const content = Buffer.from(value);
  const head = Buffer.alloc(5);
  head[0] = 0x58; // BINUNICODE
  head.writeUInt32LE(content.length, 1);
  return Buffer.concat([head, content]);
}

function join(...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)));
}

function uint64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
}

const touch = (canary: string): string => `touch ${canary}`;
/** Protocol 4: both names on the stack, then STACK_GLOBAL. */
const named = (module: string, name: string): Buffer => join(text(module), text(name), "\x93");

/** Pickles that run a command once they are loaded, in every way that the format has. */
const running: HostileFile[] = [
  bytes(
    "a pickle that calls os.system by GLOBAL and REDUCE",
    (canary) => `cos\nsystem\n(S'${touch(canary)}'\ntR.`,
    {
      warning: /os\.system/,
    },
  ),
  bytes(
    "a pickle that calls posix.system in protocol 2",
    (canary) => join("\x80\x02cposix\nsystem\nq\x00", text(touch(canary)), "\x85R."),
    {
      warning: /posix\.system/,
    },
  ),
  bytes(
    "a pickle that calls os.system by STACK_GLOBAL",
    (canary) => join("\x80\x04", named("os", "system"), text(touch(canary)), "\x85R."),
    {
      warning: /os\.system/,
    },
  ),
  bytes(
    "a pickle that takes the names of STACK_GLOBAL from its memo",
    (canary) =>
      join(
        "\x80\x04",
        text("os"),
        "\x94",
        text("system"),
        "\x94",
        "00",
        "h\x00h\x01\x93",
        text(touch(canary)),
        "\x85R.",
      ),
    { warning: /os\.system/ },
  ),
  bytes(
    "a pickle that reaches os.system through an innocent module",
    (canary) => join("\x80\x04", named("sklearn.utils", "os.system"), text(touch(canary)), "\x85R."),
    { warning: /sklearn\.utils\.os\.system/ },
  ),
  bytes("a pickle that calls by INST", (canary) => `(S'${touch(canary)}'\nios\nsystem\n.`, {
    warning: /os\.system/,
  }),
  bytes("a pickle that calls by OBJ", (canary) => join("\x80\x02(cos\nsystem\n", text(touch(canary)), "o."), {
    warning: /os\.system/,
  }),
  bytes(
    "a pickle that calls by NEWOBJ",
    (canary) => join("\x80\x02csubprocess\nPopen\n", text(touch(canary)), "\x85\x81."),
    {
      warning: /subprocess\.Popen/,
    },
  ),
  bytes(
    "a pickle that calls by NEWOBJ_EX",
    (canary) => join("\x80\x04", named("subprocess", "Popen"), text(touch(canary)), "\x85}\x92."),
    { warning: /subprocess\.Popen/ },
  ),
  bytes(
    "a pickle that evaluates code",
    (canary) => join("\x80\x03cbuiltins\neval\n", text(`open(${JSON.stringify(canary)},'w')`), "\x85R."),
    {
      warning: /builtins\.eval/,
    },
  ),
  bytes("a pickle with a builtin of Python 2", (canary) => `c__builtin__\nexecfile\n(S'${canary}'\ntR.`, {
    warning: /__builtin__\.execfile/,
  }),
  bytes(
    "a pickle that sets a state by BUILD",
    (canary) =>
      join("\x80\x02c__main__\nModel\n)\x81}", text("x"), "cos\nsystem\n", text(touch(canary)), "\x85Rsb."),
    {
      warning: /os\.system/,
    },
  ),
  bytes("a pickle that imports by a number of copyreg", "\x80\x02\x82\x01)R.", {
    warning: /hides the names/,
  }),
  bytes("a pickle that loads another pickle", join("\x80\x04", named("pickle", "loads"), "C\x02N.\x85R."), {
    warning: /pickle\.loads/,
  }),
  bytes("a pickle that loads with NumPy", join("\x80\x04", named("numpy", "load"), text("x.npy"), "\x85R."), {
    warning: /numpy\.load/,
  }),
  bytes(
    "a pickle of gzip that runs a command",
    (canary) => gzipSync(join("\x80\x02cos\nsystem\n", text(touch(canary)), "\x85R.")),
    {
      warning: /os\.system/,
    },
  ),
  bytes(
    "a pickle of zlib that runs a command",
    (canary) => deflateSync(join("\x80\x02cos\nsystem\n", text(touch(canary)), "\x85R.")),
    {
      warning: /os\.system/,
    },
  ),
  bytes(
    "a pickle whose command follows on a million numbers",
    (canary) =>
      join(
        "\x80\x02(",
        Buffer.from("K\x01".repeat(950_000), "latin1"),
        "1cos\nsystem\n",
        text(touch(canary)),
        "\x85R.",
      ),
    { warning: /os\.system/ },
  ),
  bytes(
    "an array of objects in a joblib file, which is a pickle of its own that runs a command",
    (canary) => {
      const wrapper = join(
        "\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(",
        text("dtype"),
        "cnumpy\ndtype\n",
        text("O8"),
        "\x85R",
        text("shape"),
        "K\x01\x85",
        "ub",
      );
      return join(wrapper, "\x80\x02cos\nsystem\n", text(touch(canary)), "\x85R.", ".");
    },
    { warning: /os\.system/ },
  ),
];

/** Pickles that would fill memory or never end. */
const wasteful: HostileFile[] = [
  bytes("a pickle whose text claims 4 GB", join("\x80\x02X\xff\xff\xff\xff", "abc"), "error"),
  bytes("a pickle whose bytes claim 2^63", join("\x80\x04\x8e", uint64(2n ** 63n), "abc"), "error"),
  bytes("a pickle whose bytes claim 2 GB", join("\x80\x04\x8e", uint64(2n ** 31n), "abc"), "error"),
  bytes("a pickle whose number claims 2 GB", "\x80\x02\x8b\xff\xff\xff\x7fabc.", "error"),
  bytes("a pickle whose length is negative", "\x80\x02\x8b\xff\xff\xff\xffabc.", "error"),
  bytes("a pickle whose frame claims everything", join("\x80\x04\x95", uint64(2n ** 64n - 1n), "N.")),
  bytes(
    "a pickle of 20 million marks",
    Buffer.concat([Buffer.from("\x80\x02", "latin1"), Buffer.alloc(20_000_000, "(")]),
    "error",
  ),
  bytes(
    "a pickle of 20 million open lists",
    Buffer.concat([Buffer.from("\x80\x02", "latin1"), Buffer.alloc(20_000_000, "]")]),
    "error",
  ),
  bytes(
    "a pickle that puts one value on its stack again and again",
    Buffer.concat([Buffer.from("\x80\x02N", "latin1"), Buffer.alloc(20_000_000, "2")]),
    "error",
  ),
  bytes(
    "a pickle that makes and drops values for ever",
    Buffer.concat([
      Buffer.from("\x80\x02", "latin1"),
      Buffer.from("]0".repeat(15_000_000)),
      Buffer.from("N."),
    ]),
  ),
  bytes(
    "a pickle that fills its memo",
    Buffer.concat([
      Buffer.from("\x80\x04]", "latin1"),
      Buffer.from("\x94".repeat(10_000_000), "latin1"),
      Buffer.from("."),
    ]),
  ),
  bytes(
    "a pickle with a list that holds itself a million times",
    Buffer.concat([
      Buffer.from("\x80\x02]q\x00", "latin1"),
      Buffer.from("h\x00a".repeat(1_000_000), "latin1"),
      Buffer.from("."),
    ]),
  ),
  bytes(
    "a pickle of a million tuples in tuples",
    Buffer.concat([
      Buffer.from("\x80\x02N", "latin1"),
      Buffer.from("\x85".repeat(1_000_000), "latin1"),
      Buffer.from("."),
    ]),
  ),
  bytes(
    "a pickle whose memo doubles a list 60 times",
    Buffer.concat([
      Buffer.from("\x80\x02]q\x00", "latin1"),
      ...Array.from({ length: 60 }, (_, index) =>
        Buffer.from([0x68, index, 0x68, index, 0x86, 0x71, index + 1]),
      ),
      Buffer.from("."),
    ]),
  ),
  bytes(
    "a pickle that imports 100,000 names",
    `(${Array.from({ length: 100_000 }, (_, index) => `cm${index}\nn\n0`).join("")}N.`,
  ),
  bytes(
    "a pickle with 64 MB of short texts",
    Buffer.concat([
      Buffer.from("\x80\x02(", "latin1"),
      Buffer.from(`X\x3c\x00\x00\x00${"x".repeat(60)}`.repeat(900_000), "latin1"),
      Buffer.from("l."),
    ]),
  ),
  bytes("a pickle of one line without an end", `(c${"x".repeat(5_000_000)}`),
  bytes("a pickle of protocol 9", "\x80\x09N."),
  bytes("a pickle of protocol 200 within another", "\x80\x02\x80\xc8N.", "error"),
  bytes("a pickle that takes from an empty stack", "\x80\x020.", "error"),
  bytes("a pickle that asks its memo for what is not there", "\x80\x02h\x07.", "error"),
  bytes("a pickle that ends with nothing", "\x80\x02..", "error"),
  bytes("a pickle with an instruction that does not exist", "\x80\x02\xffN.", "error"),
  bytes("a pickle with half a key", "\x80\x02}(Nu.", "error"),
  bytes(
    "a joblib array of 2^60 numbers",
    () => {
      const state = join(
        text("dtype"),
        "cnumpy\ndtype\n",
        text("f8"),
        "\x85R",
        text("shape"),
        "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x10\x85",
      );
      return join("\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(", state, "ub", "12345678", ".");
    },
    "error",
  ),
  bytes(
    "a joblib array of a negative shape",
    () => {
      const state = join(
        text("dtype"),
        "cnumpy\ndtype\n",
        text("f8"),
        "\x85R",
        text("shape"),
        "J\xff\xff\xff\xff\x85",
      );
      return join("\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(", state, "ub.");
    },
    "error",
  ),
  bytes(
    "joblib arrays of objects in each other",
    () => {
      const state = join(text("dtype"), "cnumpy\ndtype\n", text("O8"), "\x85R", text("shape"), "K\x01\x85");
      const one = join("\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(", state, "ub");
      return Buffer.concat(Array.from({ length: 10_000 }, () => one));
    },
    "error",
  ),
  bytes("a zlib bomb of 200 MB in one value", () =>
    deflateSync(join("\x80\x04\x8e", uint64(200_000_000n), Buffer.alloc(200_000_000), "."), { level: 1 }),
  ),
  bytes(
    "a gzip bomb of 50 MB of marks",
    () => gzipSync(join("\x80\x02", Buffer.alloc(50_000_000, "(")), { level: 1 }),
    "error",
  ),
  bytes("a gzip file of no pickle", gzipSync(Buffer.alloc(1_000_000)), "unknown"),
  bytes("a gzip head alone", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), "unknown"),
  bytes(
    "half a gzip file of a pickle",
    () => {
      const whole = gzipSync(fixture("sklearn/forest-4.pkl"));
      return whole.subarray(0, whole.length / 2);
    },
    "error",
  ),
];

export const pickles: HostileFile[] = [
  ...running,
  ...wasteful,
  ...mutations("sklearn/forest-0.pkl"),
  ...mutations("sklearn/forest-5.pkl"),
  ...mutations("sklearn/pipeline.joblib"),
  ...mutations("sklearn/pipeline-zlib.joblib"),
];
