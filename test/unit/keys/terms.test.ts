import { describe, expect, it } from "vitest";
import { parseConcurrency, parseExpiry, parseRate, parseScopes } from "../../../src/keys/terms.js";

const now = new Date("2026-11-25T10:00:00.789Z");

describe("--expires", () => {
  it.each([
    ["90d", "2027-02-23T10:00:00Z"],
    ["12h", "2026-11-25T22:00:00Z"],
    ["30m", "2026-11-25T10:30:00Z"],
    ["2w", "2026-12-09T10:00:00Z"],
    ["2027-01-01", "2027-01-01T00:00:00Z"],
    ["2028-02-29", "2028-02-29T00:00:00Z"],
    ["2027-01-01T12:30Z", "2027-01-01T12:30:00Z"],
    ["2027-01-01T12:30:15+02:00", "2027-01-01T10:30:15Z"],
  ])("%s is %s", (text, expected) => {
    expect(parseExpiry(text, now)).toBe(expected);
  });

  it.each([
    "",
    "90",
    "d",
    "0d",
    "-1d",
    "1.5d",
    "1y",
    "soon",
    "2027-02-29",
    "2027-13-01",
    "2027-01-01T25:00Z",
    "1/1/2027",
  ])("%j is no time", (text) => {
    expect(() => parseExpiry(text, now)).toThrow(/is no time\.$/);
  });

  it("does not lie in the past", () => {
    expect(() => parseExpiry("2026-11-25", now)).toThrow(/has passed\.$/);
    expect(() => parseExpiry("2026-11-25T10:00:00Z", now)).toThrow(/has passed\.$/);
  });

  it("has a year that can be written", () => {
    expect(() => parseExpiry("9999999d", now)).toThrow(/is too far away\.$/);
  });
});

it.each([
  ["60/minute", { requests: 60, per: "minute" }],
  ["1/second", { requests: 1, per: "second" }],
  ["5000/hour", { requests: 5000, per: "hour" }],
])("--rate %s", (text, expected) => {
  expect(parseRate(text)).toEqual(expected);
});

it.each(["", "60", "0/minute", "-1/minute", "1.5/minute", "60/day", "60/", "60 / minute", "9999999999/hour"])(
  "--rate %j is refused",
  (text) => {
    expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: "usage" }));
  },
);

it("--max-concurrency is a whole number from 1", () => {
  expect([parseConcurrency("1"), parseConcurrency("1000000")]).toEqual([1, 1_000_000]);
  for (const text of ["", "0", "-1", "1.5", "many", "1000001"]) {
    expect(() => parseConcurrency(text)).toThrow(expect.objectContaining({ code: "usage" }));
  }
});

it("--scope: predict without any, each once", () => {
  expect(parseScopes([])).toEqual(["predict"]);
  expect(parseScopes(["metrics", "predict", "metrics"])).toEqual(["predict", "metrics"]);
  expect(() => parseScopes(["predict", "root"])).toThrow("--scope root is unknown.");
});
