import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { detectModel } from "../../../src/detect/detect.js";

/** Models of 4 GB, nearly all of them holes: weights are passed over, never read. */
const folder = mkdtempSync(join(tmpdir(), "large-"));
const models = fileURLToPath(new URL("../../fixtures/models/", import.meta.url));
const fourGigabytes = 4 * 1024 ** 3;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function timed(path: string): Promise<{ kind: string | undefined; milliseconds: number }> {
  await detectModel(join(models, "onnx", "linear.onnx")); // loads what is loaded once
  const start = performance.now();
  const { found } = await detectModel(path);
  return { kind: found[0]?.kind, milliseconds: performance.now() - start };
}

/** Bytes, a hole, and bytes again. */
function sparse(name: string, start: Buffer, size: number, end: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, start);
  truncateSync(path, size);
  const file = openSync(path, "r+");
  writeSync(file, end, 0, end.length, size - end.length);
  closeSync(file);
  return path;
}

test("ONNX with external data", async () => {
  cpSync(join(models, "onnx", "external"), join(folder, "onnx"), { recursive: true });
  truncateSync(join(folder, "onnx", "weights", "linear.bin"), fourGigabytes);
  const { kind, milliseconds } = await timed(join(folder, "onnx", "linear.onnx"));
  expect(kind).toBe("onnx");
  expect(milliseconds).toBeLessThan(1000);
});

test("safetensors", async () => {
  const header = JSON.stringify({ w: { dtype: "F32", shape: [2 ** 30], data_offsets: [0, fourGigabytes] } });
  const start = Buffer.alloc(8 + header.length);
  start.writeBigUInt64LE(BigInt(header.length));
  start.write(header, 8);
  const path = sparse("large.safetensors", start, start.length + fourGigabytes, Buffer.alloc(0));
  const { kind, milliseconds } = await timed(path);
  expect(kind).toBe("safetensors");
  expect(milliseconds).toBeLessThan(1000);
});

test("a joblib file with one array", async () => {
  const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
  // LogisticRegression with coef_ as a NumpyArrayWrapper: its 2^29 numbers of 8 bytes follow in the file
  const start = [
    "\x80\x03csklearn.linear_model._logistic\nLogisticRegression\n)\x81}(",
    text("n_features_in_"),
    "K\x07",
    text("coef_"),
    "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(",
    `${text("dtype")}cnumpy\ndtype\n${text("f8")}\x85R`,
    `${text("shape")}J\0\0\0\x20\x85`,
    "ub",
  ].join("");
  const end = `${text("_sklearn_version")}${text("1.9.1")}ub.`;
  const path = sparse(
    "large.joblib",
    Buffer.from(start, "latin1"),
    start.length + fourGigabytes + end.length,
    Buffer.from(end, "latin1"),
  );
  const { found } = await detectModel(path);
  expect(found[0]).toMatchObject({
    architecture: "LogisticRegression",
    features: { count: 7 },
    confidence: "certain",
  });
  expect((await timed(path)).milliseconds).toBeLessThan(1000);
});
