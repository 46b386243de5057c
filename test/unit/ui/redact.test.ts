import { expect, test } from "vitest";
import { redact } from "../../../src/ui/redact.js";

const canary = "c4n4ry-s3cret-value-0123456789";

test.each([
  `cannot fetch https://user:${canary}@pypi.example/simple`,
  `cannot fetch https://${canary}@pypi.example/simple`,
  `Authorization: Basic ${canary}`,
  `{"authorization":"Bearer ${canary}"}`,
  `sent bearer ${canary}==`,
  `X-Registry-Auth: ${canary}`,
])("a credential in %j is not shown", (text) => {
  expect(redact(text)).not.toContain(canary);
});

test("what is no credential stays as it is", () => {
  const text =
    "pull registry.example:5000/you/digits@sha256:abc from https://registry.example/v2/ (a@b.example)";
  expect(redact(text)).toBe(text);
});
