import { describe, expect, it } from "vitest";
import { isUserError, type UserError } from "../../../src/errors.js";
import { hasExpired, type KeyEntry, parseKeys, renderKeys } from "../../../src/keys/document.js";
import { makeKey } from "../../../src/keys/secret.js";

const { id, key: secret, hash } = makeKey();
const entry: KeyEntry = {
  id,
  name: "ci",
  hash,
  scopes: ["predict"],
  created: "2026-11-25T10:00:00Z",
  expires: "2027-01-01T01:00:00+01:00",
  rate_limit: { requests: 60, per: "minute" },
  max_concurrency: 8,
};

function refusal(keys: unknown): UserError {
  try {
    parseKeys(typeof keys === "string" ? keys : JSON.stringify({ keys }), "keys.json");
  } catch (error) {
    if (!isUserError(error)) throw error;
    expect([error.message, error.why, error.hint, String(error.cause)].join("\n")).not.toContain(secret);
    expect(error.message).toBe("keys.json is not a file of keys.");
    return error;
  }
  throw new Error("it was taken");
}

it("a document comes back as it was written", () => {
  const other: KeyEntry = { ...entry, name: "b", id: "b", hash: `sha256:${"0".repeat(64)}`, expires: null };
  for (const keys of [[], [entry], [entry, other]]) {
    const text = renderKeys(keys);
    expect(parseKeys(text, "")).toEqual(keys);
    expect(JSON.parse(text)).toEqual({ keys });
    expect(text.split("\n").length).toBe(keys.length === 0 ? 2 : keys.length + 3);
  }
});

it("a document written by hand may leave out what a key does not need", () => {
  expect(
    parseKeys(`\uFEFF${JSON.stringify({ keys: [{ name: "ci", hash, scopes: ["admin"] }] })}`, ""),
  ).toEqual([
    {
      ...entry,
      id: hash.slice(7, 17),
      scopes: ["admin"],
      created: null,
      expires: null,
      rate_limit: null,
      max_concurrency: null,
    },
  ]);
});

describe("a wrong document is refused, and nothing of it is repeated", () => {
  it.each([
    ["{", "It is not valid JSON."],
    [`ci=${secret}`, "It is not valid JSON."],
    [{}, "keys must be of type array."],
    [[secret], "keys[0] must be of type object."],
    [[entry, { ...entry, [secret]: 1 }], "keys[1] has a key that is not known."],
    [[{ ...entry, name: secret }], "keys[0].name must be up to 64 letters, digits and . _ @ -."],
    [[{ ...entry, hash: secret }], "keys[0].hash must be sha256: and 64 hexadecimal digits."],
    [[{ ...entry, scopes: [] }], "keys[0].scopes has a value that it cannot have."],
    [[{ ...entry, scopes: [secret] }], "keys[0].scopes[0] has a value that it cannot have."],
    [[{ ...entry, expires: "2027-01-01" }], "keys[0].expires must be a time such as 2027-01-31T12:00:00Z."],
    [[{ ...entry, rate_limit: { requests: 1 } }], "keys[0].rate_limit.per has a value that it cannot have."],
    [[{ ...entry, max_concurrency: 0 }], "keys[0].max_concurrency has a value that it cannot have."],
    [[entry, { ...entry, id: "b", hash: `sha256:${"0".repeat(64)}` }], "Two keys are named ci."],
    [
      [entry, { ...entry, name: "b", id: "b", hash: hash.toUpperCase().replace("SHA", "sha") }],
      "ci and b share a hash.",
    ],
    [[entry, { ...entry, name: "b", hash: `sha256:${"0".repeat(64)}` }], "ci and b share an id."],
  ])("%j", (keys, why) => {
    expect(refusal(keys).why).toBe(why);
  });
});

it("a key has expired from its moment on", () => {
  const end = Date.parse("2027-01-01T00:00:00Z");
  expect(hasExpired(entry, new Date(end - 1))).toBe(false);
  expect(hasExpired(entry, new Date(end))).toBe(true);
  expect(hasExpired({ ...entry, expires: null }, new Date(end))).toBe(false);
});

it("keys are of the form that says which one they are", () => {
  expect(secret).toMatch(/^ms_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/);
  expect(secret.split("_")[1]).toBe(id);
  expect(makeKey().key).not.toBe(secret);
});
