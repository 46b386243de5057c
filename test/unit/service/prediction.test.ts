import { expect, test } from "vitest";
import { Prediction } from "../../../src/service/prediction.js";

const json = (text: string) => new Prediction(Buffer.from(text), "application/json; charset=utf-8");

test("an answer is printed as it came, or indented for people", () => {
  expect(json('{"a":1.0}').text(false)).toBe('{"a":1.0}');
  expect(json('{"a":1.0}').text(true)).toBe('{\n  "a": 1.0\n}');
  expect(json("not json").text(true)).toBe("not json");
});

test("bytes that are no text are left alone", () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80]);
  expect(new Prediction(bytes, "application/octet-stream").text(true)).toBeUndefined();
  expect(new Prediction(bytes, "text/plain").text(true)).toBeUndefined();
  expect(new Prediction(bytes, "application/octet-stream").document()).toEqual({
    contentType: "application/octet-stream",
    base64: "/wCA",
  });
});

test("--json holds the answer itself where it is an object", () => {
  expect(json('{"a":1}').document()).toEqual({ a: 1 });
  expect(json("[1,2]").document()).toEqual({ output: [1, 2] });
  expect(new Prediction(Buffer.from("hi"), "text/plain").document()).toEqual({
    contentType: "text/plain",
    text: "hi",
  });
});
