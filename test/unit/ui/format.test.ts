import { expect, test } from "vitest";
import { formatBytes, formatDuration, formatPercent, formatRate } from "../../../src/ui/format.js";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [9_949, "9.9 kB"],
  [9_960, "10 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [123_456_789, "123 MB"],
  [4_200_000_000, "4.2 GB"],
])("%d bytes are shown as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0.0s"],
  [0.34, "0.3s"],
  [9.96, "10s"],
  [59.4, "59s"],
  [59.6, "1m 00s"],
  [125, "2m 05s"],
  [3720, "1h 02m"],
])("%d seconds are shown as %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test("a rate is bytes a second", () => {
  expect(formatRate(34_000_000)).toBe("34 MB/s");
});

test("100% is shown only when everything is there", () => {
  expect(formatPercent(999, 1000)).toBe("99%");
  expect(formatPercent(1000, 1000)).toBe("100%");
  expect(formatPercent(0, 0)).toBe("100%");
});
