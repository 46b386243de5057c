import { afterEach, describe, expect, it } from "vitest";
import { blobOf } from "../../../setup/bytes-blob.js";
import { type StandIn, standIn } from "../../../setup/stand-in/for-test.js";
import { mended, told } from "../../../setup/stand-in/scenarios.js";
import {
  cacheContent,
  expectNoSecret,
  failure,
  huge,
  large,
  login,
  megabyte,
  pushTo,
  sentTwice,
  stored,
} from "./setup.js";

/** What the system takes before a registry has read it. */
const inFlight = 8 * megabyte;

let server: StandIn;
afterEach(() => {
  // Whatever went wrong: what is stored is right, and the other origin saw no login.
  expect(server.store.corrupt()).toEqual([]);
  for (const { host, authorization } of server.seen) {
    if (host !== server.host) expect(authorization).toBeUndefined();
  }
});

describe.each([
  ["with a digest known beforehand", true],
  ["with a digest found while sending", false],
])("a blob %s arrives although", (_, digestKnown) => {
  it.each(mended)("$fault", async ({ planned, manner = "forgetful", twice, says }) => {
    server = await standIn({ manner, tokens: login });
    for (const fault of planned) server.inject(fault);
    const push = await pushTo(server);
    const bytes = manner === "ghcr" || manner === "google" ? huge() : large;
    const blobSize = bytes.length;
    const blob = blobOf(bytes, { digestKnown });
    const result = await push.send(blob);
    expect(result).toMatchObject({ digest: blob.itsDigest, size: blobSize, how: "sent" });
    expect(stored(server, blob.itsDigest)).toBe(true);
    expect(sentTwice(server, blobSize)).toBeLessThanOrEqual(twice);
    expect(result.bytesSent).toBeGreaterThanOrEqual(blobSize);
    // Besides, what was on its way each time that it went wrong.
    const times = 1 + planned.reduce((sum, one) => sum + (one.times ?? 1), 0);
    expect(result.bytesSent - blobSize).toBeLessThanOrEqual(twice + times * inFlight);
    expect(push.sent.at(-1)).toBe(blobSize);
    if (says) expect(push.details.join("\n")).toMatch(says);
    expectNoSecret([...push.details, await cacheContent(push.cache)].join("\n"));
    // Nothing is left to go on with.
    expect(await cacheContent(push.cache)).not.toContain("offset");
  });
});

describe("what cannot be mended is said", () => {
  it.each(told)("$fault", async ({ planned, code, says }) => {
    server = await standIn({ tokens: login });
    for (const fault of planned) server.inject(fault);
    const push = await pushTo(server);
    const error = await failure(push.send(blobOf(large)));
    expect(error.code).toBe(code);
    expect([error.message, error.why, error.hint].join("\n")).toMatch(says);
    expectNoSecret([...push.details, await cacheContent(push.cache)].join("\n"));
  });
});
