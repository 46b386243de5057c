import { expect, test } from "vitest";
import type { DataType } from "../../../src/detect/detected.js";
import { exampleRow } from "../../../src/scaffold/example.js";

type Shape = (number | string | null)[] | undefined;
const field = (name: string, dtype: DataType, shape: Shape) => ({
  name,
  identifier: `${name}_id`,
  dtype,
  shape,
});
const onnx = (...inputs: ReturnType<typeof field>[]) => exampleRow({ kind: "onnx", inputs, features: null });

test("a row of an ONNX graph has its tensors' names, without the batch", () => {
  expect(
    onnx(
      field("features", "float32", ["batch", 4]),
      field("flag", "bool", [null]),
      field("word", "string", [null, 2]),
    ),
  ).toEqual({ features: [0.5, 0.5, 0.5, 0.5], flag: true, word: ["a text", "a text"] });
});

test("lengths that are free are ones that models take", () => {
  expect(onnx(field("ids", "int64", ["n", "length"]), field("mask", "int64", ["n", null]))).toEqual({
    ids: new Array(8).fill(1),
    mask: new Array(8).fill(1),
  });
  const { image } = onnx(field("image", "float32", [1, 3, "h", "w"])) as { image: number[][][] };
  expect([image.length, image[0]?.length, image[0]?.[0]?.length]).toEqual([3, 224, 224]);
  const { picture } = onnx(field("picture", "uint8", [null, null, null, 3])) as { picture: number[][][] };
  expect([picture.length, picture[0]?.length, picture[0]?.[0]]).toEqual([224, 224, [1, 1, 1]]);
});

test("columns have identifiers, a mere number of features is a list", () => {
  const columns = [
    { name: "a b", identifier: "a_b" },
    { name: "c", identifier: "c" },
  ];
  expect(exampleRow({ kind: "skops", inputs: [], features: { count: 2, columns } })).toEqual({
    a_b: 0.5,
    c: 0.5,
  });
  expect(exampleRow({ kind: "xgboost", inputs: [], features: { count: 3, columns: null } })).toEqual({
    features: [0.5, 0.5, 0.5],
  });
});

test("for other kinds inputs have identifiers", () => {
  const inputs = [field("x", "float32", [null, 2])];
  expect(exampleRow({ kind: "torchscript", inputs, features: null })).toEqual({ x_id: [0.5, 0.5] });
});

test("there is none where the schema is not known, or a row would be huge", () => {
  expect(exampleRow({ kind: "torch-state-dict", inputs: [], features: null })).toBeNull();
  expect(onnx(field("x", "float32", undefined))).toBeNull();
  expect(onnx(field("x", "float32", [1, 1_000_000_000, 1_000_000_000]))).toBeNull();
  expect(exampleRow({ kind: "xgboost", inputs: [], features: { count: 2e9, columns: null } })).toBeNull();
});

test("a tensor called __proto__ is a key like another", () => {
  expect(JSON.stringify(onnx(field("__proto__", "float32", [null, 1])))).toBe('{"__proto__":[0.5]}');
});
