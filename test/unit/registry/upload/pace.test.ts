import { expect, it } from "vitest";
import { firstPiece, Pace } from "../../../../src/registry/upload/pace.js";

const address = new URL("http://registry.example/v2/a/blobs/uploads/1");
const dockers = new URL("?_state=abc", address);

it.each([
  ["as it was on a slow line", 60, 1],
  ["what goes in four seconds", 0.5, 8],
  ["no more than 1 GiB", 0.001, 16],
  ["nor where no time can be measured", 0, 16],
])("a piece is %s", (_, seconds, expected) => {
  const pace = new Pace();
  expect(pace.piece(address)).toBe(firstPiece);
  pace.arrived(firstPiece, seconds * 1000);
  expect(pace.piece(address) / firstPiece).toBe(expected);
});

it("gets smaller again when the line does", () => {
  const pace = new Pace();
  pace.arrived(firstPiece, 500);
  pace.arrived(8 * firstPiece, 16_000);
  expect(pace.piece(address)).toBe(2 * firstPiece);
});

it("Docker's registry gets all at once, until that breaks off", () => {
  const pace = new Pace();
  expect(pace.piece(dockers)).toBe(Infinity);
  pace.broke(16 * firstPiece);
  expect(pace.piece(dockers)).toBe(firstPiece);
  pace.arrived(firstPiece, 1);
  expect(pace.piece(dockers)).toBe(4 * firstPiece);
});
