import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseKeys } from "../../../templates/service/node/src/guard/key-list.js";
import { KeyRing, presentedKey } from "../../../templates/service/node/src/guard/keys.js";
import { Limits, TokenBucket } from "../../../templates/service/node/src/guard/limits.js";

const digest = (key: string) => `sha256:${createHash("sha256").update(key).digest("hex")}`;
const entry = (more: object = {}) => ({
  name: "caller",
  hash: digest("a-key-of-somebody"),
  scopes: ["predict"],
  ...more,
});
const document = (...keys: object[]) => JSON.stringify({ keys });

describe("a list of keys", () => {
  test("is a document, or entries with commas or new lines between them", () => {
    const [key] = parseKeys(
      document(entry({ rate_limit: { requests: 5, per: "minute" }, max_concurrency: 2 })),
    );
    expect(key).toMatchObject({ name: "caller", rateLimit: { requests: 5, seconds: 60 }, maxConcurrency: 2 });
    const list = parseKeys(`one=a-key-of-somebody\nanother-key-of-16,\nthird=${digest("x".repeat(20))}`);
    expect(list.map(({ name }) => name)).toEqual(["one", "key-2", "third"]);
  });

  test.each([
    ["", "there is nothing in it"],
    ["short=abc", "entry 1 is no key"],
    ["has space=a-key-of-somebody", "no proper name"],
    ["{", "not valid JSON"],
    [JSON.stringify({ keys: [], more: 1 }), 'the one key "keys"'],
    [document(entry({ scopes: ["root"] })), 'caller has a "scopes" that is not'],
    [document(entry({ scopes: [] })), 'caller has a "scopes" that is not'],
    [document(entry({ hash: "sha256:zz" })), 'caller has a "hash" that is not'],
    [document(entry({ expires: "soon" })), 'caller has a "expires" that is not'],
    [document(entry({ rate_limit: { requests: 0, per: "minute" } })), 'caller has a "rate_limit"'],
    [document(entry({ owner: "x" })), "1 unknown keys"],
    [document(entry(), entry()), "two keys are named caller"],
    [document(entry(), entry({ name: "other" })), "caller and other are the same key"],
  ])("%s is refused, and shows no secret", (text, message) => {
    expect(() => parseKeys(text)).toThrow(message);
    try {
      parseKeys(text);
    } catch (problem) {
      expect((problem as Error).message).not.toContain("a-key-of-somebody");
    }
  });
});

test("a key is found by what was presented, until it expires", () => {
  const keys = parseKeys(document(entry({ expires: "2030-01-01T00:00:00Z" })));
  const ring = new KeyRing(keys);
  const presented = Buffer.from("a-key-of-somebody");
  expect(ring.find(presented, Date.UTC(2029, 1))).toMatchObject({ name: "caller" });
  expect(ring.find(presented, Date.UTC(2030, 1))).toBe("expired");
  expect(ring.find(Buffer.from("a-key-of-somebod"))).toBeUndefined();
  expect(ring.find(Buffer.alloc(600, "a"))).toBeUndefined();
});

test.each([
  [{ "x-api-key": " secret ", authorization: "Bearer other" }, "secret"],
  [{ authorization: "bearer secret" }, "secret"],
  [{ authorization: `Basic ${Buffer.from("me:se:cret").toString("base64")}` }, "se:cret"],
  [{ authorization: "Basic ???" }, undefined],
  [{ authorization: "Digest secret" }, undefined],
  [{ "x-api-key": "" }, undefined],
  [{}, undefined],
])("of the headers %o the key is %s", (headers, key) => {
  expect(presentedKey(headers)?.toString()).toBe(key);
});

test("a bucket gives its tokens back steadily, and never more than it holds", () => {
  const bucket = new TokenBucket({ requests: 2, seconds: 10 }, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, false]);
  expect([bucket.remaining, bucket.retryAfterS, bucket.resetS]).toEqual([0, 5, 10]);
  expect([bucket.take(4.9), bucket.take(5)]).toEqual([false, true]);
  bucket.settle(1000);
  expect(bucket.remaining).toBe(2);
});

test("what a key has used outlives its renewal, and what runs counts until it is answered", () => {
  let now = 0;
  const limits = new Limits({ requests: 3, seconds: 60 }, 1, () => now);
  const [first, again] = [parseKeys(document(entry())), parseKeys(document(entry()))].map(([key]) => key);
  const admission = limits.enter(first);
  expect(() => limits.enter(first)).toThrow("at most 1 requests at a time");
  now = 1;
  admission.leave();
  admission.leave();
  limits.enter(again).leave();
  limits.enter(again).leave();
  expect(() => limits.enter(again)).toThrow("too many requests");
});
