import { expect, test } from "vitest";
import { isProjectName, nearestProjectName } from "../../../src/scaffold/name.js";

test.each(["digits", "a", "my-model", "my_model", "v1.2", "0", "a".repeat(63)])(
  "%s is a project's name",
  (name) => {
    expect(isProjectName(name)).toBe(true);
  },
);

test.each(["", "Digits", "my model", "-a", "a-", "a..b", "a--b", "../a", "a/b", "ä", "a".repeat(64)])(
  "%j is none",
  (name) => {
    expect(isProjectName(name)).toBe(false);
  },
);

test.each([
  ["My Model!", "my-model"],
  ["Übung 1", "ubung-1"],
  ["a--b__c..d", "a-b_c.d"],
  ["_x_", "x"],
  [`${"a".repeat(62)}-b`, "a".repeat(62)],
])("the nearest name to %j is %j", (text, name) => {
  expect(nearestProjectName(text)).toBe(name);
  expect(isProjectName(name)).toBe(true);
});

test("a text without a single usable character has no nearest name", () => {
  expect(nearestProjectName("模型")).toBeUndefined();
});
