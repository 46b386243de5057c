import { expect, it } from "vitest";
import { firstPiece, Pace } from "../../../../src/registry/upload/pace.js";

/** The next piece, after one of the first size that took so many seconds. */
function after(seconds: number): number {
  const pace = new Pace();
  pace.learn(firstPiece, seconds * 1000);
  return pace.piece / firstPiece;
}

it.each([
  ["as it was on a slow line", 60, 1],
  ["what goes in four seconds", 0.5, 8],
  ["no more than 1 GiB", 0.001, 16],
  ["nor where no time can be measured", 0, 16],
])("a piece is %s", (_, seconds, expected) => {
  expect(after(seconds)).toBe(expected);
});

it("gets smaller again when the line does", () => {
  const pace = new Pace();
  pace.learn(firstPiece, 500);
  pace.learn(8 * firstPiece, 16_000);
  expect(pace.piece).toBe(2 * firstPiece);
});
