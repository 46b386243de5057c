import { expect, test } from "vitest";
import { lastWords } from "../../../src/deploy/last-words.js";

const lines = (text: string) => [...text].map((line) => ({ stream: "stdout" as const, line }));
const words = (seen: string, final: string) =>
  lastWords(lines(seen), lines(final))
    .map(({ line }) => line)
    .join("");

test.each([
  ["abc", "abc", ""],
  ["abc", "abcd", "d"],
  ["abc", "bcde", "de"],
  ["", "abc", "abc"],
  ["abc", "", ""],
  ["abc", "xyz", ""],
  ["aaa", "aaab", "b"],
  ["abc", "cb", "b"],
])("of a follower that saw %j of a log that ends with %j: %j", (seen, final, missed) => {
  expect(words(seen, final)).toBe(missed);
});
