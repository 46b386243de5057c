import { describe, expect, test } from "vitest";
import { Batcher, type Entry } from "../../../templates/service/node/src/model/batcher.js";
import { together } from "../../../templates/service/node/src/model/halving.js";
import { readSettings } from "../../../templates/service/node/src/settings.js";

const entry = (rows: number, since: number, bucket = ""): Entry => ({
  ...{ api: "v1", inputs: [], rows, bucket, since },
  over: false,
  settle: () => {},
});

describe("what goes to the model next", () => {
  test("is all that waits, up to the rows of a batch, the oldest first", () => {
    const batcher = new Batcher(4, 0);
    const [first, second, third, other] = [entry(1, 1), entry(3, 2), entry(1, 3), entry(1, 0, "shape")];
    for (const one of [first, second, third, other]) batcher.add(one as Entry);
    expect(batcher.take(9)).toEqual([other]);
    expect(batcher.take(9)).toEqual([first, second]);
    expect(batcher.take(9)).toEqual([third]);
    expect(batcher.take(9)).toEqual([]);
    expect(batcher.isEmpty).toBe(true);
  });

  test("waits for company only as long as it was told, or until a batch is full", () => {
    const batcher = new Batcher(2, 5);
    batcher.add(entry(1, 10));
    expect([batcher.take(14), batcher.due]).toEqual([[], 15]);
    batcher.add(entry(1, 12));
    expect(batcher.take(14)).toHaveLength(2);
  });

  test("leaves out those for whom nobody waits any more", () => {
    const batcher = new Batcher(4, 0);
    const gone = entry(4, 1);
    const staying = entry(1, 2);
    batcher.add(gone);
    batcher.add(staying);
    gone.over = true;
    expect(batcher.take(9)).toEqual([staying]);
  });
});

test("a batch that fails is halved until the request that it fails for is alone", async () => {
  const calls: number[] = [];
  const replies = await together(["a", "b", "bad", "c"], async (parts) => {
    calls.push(parts.length);
    if (parts.includes("bad")) throw new Error("no");
    return parts.map((part) => ({ kind: "outputs" as const, outputs: [part] }));
  });
  expect(replies.map(({ kind }) => kind)).toEqual(["outputs", "outputs", "failed", "outputs"]);
  expect(calls).toEqual([4, 2, 2, 1, 1]);
});

describe("settings", () => {
  test("are read of the environment, and an empty variable counts as absent", () => {
    const settings = readSettings({
      MODELSHIP_ENTRY: "v2=b.ts:B,v1=a.js:A",
      MODELSHIP_RATE_LIMIT: "60/minute",
      MODELSHIP_MAX_ROWS: "",
      MODELSHIP_KEYS_ENV: "THE_KEYS",
      THE_KEYS: "one=a-key-of-somebody",
    });
    expect([...settings.entry]).toEqual([
      ["v1", "a.js:A"],
      ["v2", "b.ts:B"],
    ]);
    expect(settings).toMatchObject({
      maxRows: 1024,
      rateLimit: { requests: 60, seconds: 60 },
      apiKeys: "one=a-key-of-somebody",
    });
  });

  test.each([
    [{ MODELSHIP_PORT: "70000" }, /MODELSHIP_PORT must be a whole number from 0 to 65535, and it is "70000"/],
    [{ MODELSHIP_ENTRY: "model.py:Model" }, /MODELSHIP_ENTRY must look like model.ts:Model/],
    [{ MODELSHIP_TIMEOUT_S: "0" }, /above 0/],
    [{ MODELSHIP_CORS_ORIGINS: "*" }, /exact origins/],
    [{ MODELSHIP_LOG_LEVEL: "loud" }, /must be one of debug/],
  ])("%j cannot be used", (env, message) => {
    expect(() => readSettings(env)).toThrow(message);
  });
});
