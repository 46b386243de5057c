import { describe, expect, test } from "vitest";
import { answerOf } from "../../../templates/service/node/src/api/oip/answer.js";
import { readAsked } from "../../../templates/service/node/src/api/oip/asked.js";
import { ApiError } from "../../../templates/service/node/src/errors.js";
import { checkDepth, parseJson } from "../../../templates/service/node/src/http/body.js";
import { describeGraph, type Node } from "../../../templates/service/node/src/model/graph.js";
import { schemaOf } from "../../../templates/service/node/src/schema/of.js";
import type { Schema } from "../../../templates/service/node/src/schema/schema.js";
import { fromHalf, type Tensors, toHalf } from "../../../templates/service/node/src/schema/tensor.js";

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** What the caller is told of it. */
function told(work: () => unknown): [number, string, string] | undefined {
  try {
    work();
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    const [detail] = problem.details ?? [];
    return [problem.status, detail?.path ?? problem.code, detail?.rule ?? problem.message];
  }
  return undefined;
}

const rows = schemaOf(
  {
    kind: "rows",
    streams: false,
    defaults: true,
    input: {
      type: "object",
      required: ["point"],
      additionalProperties: false,
      properties: {
        point: { type: "array", minItems: 2, maxItems: 2, items: { type: "number", maximum: 9 } },
        kind: { enum: ["a", "b"], default: "a" },
        note: { type: "string", maxLength: 3 },
        any: {},
      },
    },
    output: { type: "object", properties: { total: { type: "number" }, more: { type: "object" } } },
  },
  4,
);

describe("a model of rows", () => {
  test("fills in the defaults of a plain JSON Schema", () => {
    expect(rows.decode(json({ point: [1, 2] }))).toEqual({
      inputs: [{ point: [1, 2], kind: "a" }],
      rows: 1,
      many: false,
    });
  });

  test.each([
    [{}, "point", "a value is needed"],
    [{ point: [1] }, "point", "at least 2 items are needed"],
    [{ point: [1, 2, 3] }, "point", "at most 2 items are allowed"],
    [{ point: [1, "x"] }, "point[1]", "must be a number"],
    [{ point: [1, 10] }, "point[1]", "must be 9 or less"],
    [{ point: [1, 2], kind: "c" }, "kind", "must be one of 'a' or 'b'"],
    [{ point: [1, 2], note: "long" }, "note", "at most 3 characters are allowed"],
    [{ point: [1, 2], unheard: 1 }, "*", "a field that the model does not take"],
    [[1], "body", "must be an object"],
    [{ rows: [{ point: [1, 2] }, { point: "x" }] }, "rows[1].point", "must be a list"],
    [{ rows: [] }, "rows", "at least 1 item is needed"],
    [{ rows: new Array(5).fill({ point: [1, 2] }) }, "rows", "at most 4 items are allowed"],
    [{ rows: 1 }, "rows", "must be a list"],
  ])("%j is refused at %s: %s", (body, path, rule) => {
    expect(told(() => rows.decode(json(body)))).toEqual([422, path, rule]);
  });

  test("a number that JSON.parse takes for infinity is none", () => {
    const body = Buffer.from('{"point": [1, -1e999]}');
    expect(told(() => rows.decode(body))).toEqual([422, "point[1]", "must be a finite number"]);
  });

  test("shows as tensors, one for each field", () => {
    expect(rows.inputs).toEqual([
      { name: "point", datatype: "FP64", shape: [-1, 2] },
      { name: "kind", datatype: "BYTES", shape: [-1] },
      { name: "note", datatype: "BYTES", shape: [-1] },
      { name: "any", datatype: "BYTES", shape: [-1] },
    ]);
    const tensors: Tensors = {
      point: { datatype: "INT32", shape: [2, 2], data: Int32Array.of(1, 2, 3, 4) },
      any: { datatype: "BYTES", shape: [2], data: ['{"a":1}', "null"] },
    };
    expect(rows.fromTensors(tensors).inputs).toEqual([
      { point: [1, 2], any: { a: 1 }, kind: "a" },
      { point: [3, 4], any: null, kind: "a" },
    ]);
    expect(rows.toTensors(['{"total":1,"more":{"a":2}}'])).toEqual({
      total: { datatype: "FP64", shape: [1], data: Float64Array.of(1) },
      more: { datatype: "BYTES", shape: [1], data: ['{"a":2}'] },
    });
  });
});

const tensor = (name: string, type: string, shape: (number | string)[]): Node => ({
  name,
  isTensor: true,
  type,
  shape,
});

function graph(inputs: Node[], outputs: Node[] = [tensor("y", "float32", ["N", 1])]): Schema {
  return schemaOf(describeGraph(inputs, outputs), 8);
}

describe("an ONNX graph", () => {
  test("says what it takes and gives; the first dimension is the batch", () => {
    const schema = graph(
      [tensor("in put:0", "float32", ["batch", 3]), tensor("ids", "int64", ["batch", "length"])],
      [tensor("y", "float32", ["", "length"])],
    );
    expect(schema.inputs).toEqual([
      { name: "in put:0", datatype: "FP32", shape: [-1, 3] },
      { name: "ids", datatype: "INT64", shape: [-1, -1] },
    ]);
    const { inputs, rows } = schema.decode(json({ rows: [{ "in put:0": [1, 2, 3], ids: [7] }] }));
    expect(rows).toBe(1);
    expect(inputs).toEqual({
      "in put:0": { datatype: "FP32", shape: [1, 3], data: Float32Array.of(1, 2, 3) },
      ids: { datatype: "INT64", shape: [1, 1], data: BigInt64Array.of(7n) },
    });
  });

  test.each([
    [{ x: [1, 2] }, "x", "at least 3 items are needed"],
    [{ x: [1, 2, 1e39] }, "x[2]", "must be 3.4028234663852886e+38 or less"],
    [{ x: [1, 2, true] }, "x[2]", "must be a number"],
    [{ x: 1 }, "x", "must be a list"],
    [{}, "x", "a value is needed"],
    [{ x: [1, 2, 3], z: 1 }, "*", "a field that the model does not take"],
    [null, "body", "must be an object"],
  ])("refuses %j at %s: %s", (body, path, rule) => {
    expect(told(() => graph([tensor("x", "float32", ["N", 3])]).decode(json(body)))).toEqual([
      422,
      path,
      rule,
    ]);
  });

  test("refuses whole numbers that JSON has rounded, and takes them as bytes", () => {
    const schema = graph([tensor("x", "int64", ["N"])]);
    expect(told(() => schema.decode(Buffer.from('{"x": 9007199254740993}')))?.[2]).toMatch(/more digits/);
    const exact = BigInt64Array.of(9_007_199_254_740_993n);
    const head = JSON.stringify({
      inputs: [{ name: "x", datatype: "INT64", shape: [1], parameters: { binary_data_size: 8 } }],
    });
    const body = Buffer.concat([Buffer.from(head), Buffer.from(exact.buffer)]);
    const { tensors } = readAsked(body, `${head.length}`, schema, 64);
    expect(tensors.x?.data).toEqual(exact);
  });

  test("lists of rows that differ in length are no tensor", () => {
    const schema = graph([tensor("x", "int32", ["N", ""])]);
    const body = json({ rows: [{ x: [1] }, { x: [1, 2] }] });
    expect(told(() => schema.decode(body))).toEqual([
      422,
      "rows[1].x",
      "must have 1 items, as the lists before it have",
    ]);
  });

  test("a fixed batch of one means one row", () => {
    const schema = graph([tensor("x", "float32", [1, 2])], [tensor("y", "float32", [1, 1])]);
    expect(schema.maxRows).toBe(1);
  });

  test.each([
    [[tensor("x", "float32", [])], undefined, "no dimension for the batch"],
    [[tensor("x", "float32", [4, 2])], undefined, "has 4 as its first dimension"],
    [[tensor("x", "float32", ["N", 2])], [tensor("y", "float32", [1, 2])], "has 1 as its first dimension"],
    [[tensor("x", "float32", ["N", 2])], [{ name: "y", isTensor: false }], "zipmap"],
    [[tensor("x", "uint4", ["N", 2])], undefined, "no tensor that can be sent"],
  ] as [Node[], Node[] | undefined, string][])("%j cannot be served", (inputs, outputs, message) => {
    expect(() => graph(inputs, outputs)).toThrow(message);
  });

  test("answers with all digits, and not with what is no number", () => {
    const schema = graph(
      [tensor("x", "float32", ["N"])],
      [tensor("id", "int64", ["N"]), tensor("p", "float16", ["N", 2])],
    );
    const outputs: Tensors = {
      id: { datatype: "INT64", shape: [1], data: BigInt64Array.of(9_007_199_254_740_993n) },
      p: { datatype: "FP16", shape: [1, 2], data: Uint16Array.of(toHalf(0.5), toHalf(-2)) },
    };
    expect(schema.encode(outputs, false)).toBe('{"id":9007199254740993,"p":[0.5,-2]}');
    const bad = { ...outputs, p: { datatype: "FP16", shape: [1, 2], data: Uint16Array.of(0x7c00, 0) } };
    expect(() => schema.encode(bad, true)).toThrow("not finite at rows[0].p");
  });
});

test.each([
  [0, 0],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65520, 0x7c00],
  [2 ** -24, 1],
  [0.1, 0x2e66],
  [2047.5, 0x6800],
])("%s as a half float has the bits %s", (value, bits) => {
  expect(toHalf(value)).toBe(bits);
});

test("every half float survives the way to a number and back", () => {
  for (let bits = 0; bits < 0x7c00; bits += 7) expect(toHalf(fromHalf(bits))).toBe(bits);
});

describe("an inference request", () => {
  const schema = graph([tensor("x", "float32", ["N", 2]), tensor("s", "string", ["N"])]);
  const x = { name: "x", datatype: "FP32", shape: [1, 2] };
  const s = { name: "s", datatype: "BYTES", shape: [1], data: ["é"] };

  test("holds tensors as lists, nested or flat, or as bytes behind the JSON", () => {
    const wanted = Float32Array.of(1, 2);
    for (const data of [[1, 2], [[1, 2]]])
      expect(readAsked(json({ inputs: [{ ...x, data }, s] }), undefined, schema, 64).tensors.x?.data).toEqual(
        wanted,
      );
    const head = json({
      inputs: [
        { ...x, parameters: { binary_data_size: 8 } },
        { ...s, data: undefined, parameters: { binary_data_size: 6 } },
      ],
    });
    const body = Buffer.concat([
      head,
      Buffer.from(wanted.buffer),
      Buffer.from([2, 0, 0, 0]),
      Buffer.from("é"),
    ]);
    const { tensors } = readAsked(body, `${head.length}`, schema, 64);
    expect([tensors.x?.data, tensors.s?.data]).toEqual([wanted, ["é"]]);
  });

  test.each([
    [{ inputs: [{ ...x, data: [1] }, s] }, 422, "x", "its data must have as many values as its shape says"],
    [{ inputs: [{ ...x, datatype: "FP31", data: [1, 2] }] }, 422, "x", "its datatype must be one of"],
    [{ inputs: [{ ...x, name: "z", data: [1, 2] }] }, 422, "*", "an input that the model does not take"],
    [{ inputs: [x] }, 422, "x", "data is needed, or binary_data_size"],
    [
      { inputs: [{ ...x, parameters: { binary_data_size: 8 } }] },
      400,
      "bad_request",
      "more than the body has left",
    ],
    [{ inputs: [{ ...x, parameters: { shared_memory_region: "r" } }] }, 400, "bad_request", "shared memory"],
    [{ inputs: [{ ...x, shape: [1, -2], data: [] }] }, 422, "inputs[0].shape[1]", "must be 0 or more"],
    [
      { inputs: [{ ...x, data: [1, 2] }, s], outputs: [{ name: "no" }] },
      400,
      "bad_request",
      "no such output",
    ],
    [{}, 422, "inputs", "a value is needed"],
  ])("%j is refused", (body, status, place, words) => {
    const found = told(() => readAsked(json(body), undefined, schema, 64));
    expect(found?.slice(0, 2)).toEqual([status, place]);
    expect(found?.[2]).toContain(words);
  });

  test("is answered as it wants each output", () => {
    const tensors: Tensors = { y: { datatype: "FP32", shape: [1, 1], data: Float32Array.of(0.5) } };
    const head = { model_name: "m", model_version: "1" };
    const text = answerOf(tensors, { tensors: {}, outputs: new Map([["y", false]]), id: "7" }, head);
    expect(JSON.parse(text.body as string)).toEqual({
      ...head,
      id: "7",
      outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [0.5] }],
    });
    const bytes = answerOf(tensors, { tensors: {}, outputs: new Map([["y", true]]) }, head);
    const [[, length] = []] = bytes.headers ?? [];
    expect((bytes.body as Buffer).subarray(Number(length))).toEqual(Buffer.from(Float32Array.of(0.5).buffer));
  });
});

describe("the JSON of a body", () => {
  test("may be as deep as is allowed; brackets in strings are none", () => {
    expect(told(() => checkDepth(Buffer.from('{"a": ["[[[[", "\\"[[", "\\\\"]}'), 2))).toBeUndefined();
    expect(told(() => checkDepth(Buffer.from('[[["x"]]]'), 2))?.[0]).toBe(400);
    expect(told(() => checkDepth(Buffer.from("[]".repeat(1_000_001)), 2))?.[0]).toBe(413);
  });

  test.each(["", "{", "NaN", "\ufeff{}", "'x'"])("%j is none, and is not repeated", (text) => {
    const found = told(() => parseJson(Buffer.from(text)));
    expect(found?.slice(0, 2)).toEqual([400, "invalid_json"]);
  });

  test("is UTF-8", () => {
    expect(told(() => parseJson(Buffer.from([0x22, 0xff, 0x22])))?.[2]).toContain("it is not UTF-8");
  });
});
