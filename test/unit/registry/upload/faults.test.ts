import { afterEach, describe, expect, it } from "vitest";
import { blobOf } from "../../../setup/bytes-blob.js";
import type { PlannedFault } from "../../../setup/stand-in/faults.js";
import type { MannerName } from "../../../setup/stand-in/manner.js";
import { type StandIn, standIn } from "../../../setup/stand-in/registry.js";
import {
  cacheContent,
  expectNoSecret,
  failure,
  large,
  login,
  megabyte,
  pushTo,
  sentTwice,
  stored,
} from "./setup.js";

const piece = 64 * megabyte;
const blobSize = large.length;

let server: StandIn;
afterEach(() => {
  // Whatever went wrong: what is stored is right, and the other origin saw no login.
  expect(server.store.corrupt()).toEqual([]);
  for (const { host, authorization } of server.seen) {
    if (host !== server.host) expect(authorization).toBeUndefined();
  }
});

interface Outcome {
  fault: string;
  planned: PlannedFault[];
  manner?: MannerName;
  /** Bytes sent twice, at most. */
  twice: number;
  says?: RegExp;
}

/** A cut in the middle of the second piece: Docker's registry loses the upload, others go on. */
const cutInSecond: PlannedFault[] = [{ method: "PATCH", after: 1, fault: { kind: "reset", at: 0.5 } }];

describe.each([
  ["with a digest known beforehand", true],
  ["with a digest found while sending", false],
])("a blob %s arrives although", (_, digestKnown) => {
  it.each<Outcome>([
    {
      fault: "the connection is cut, and the upload with it",
      planned: cutInSecond,
      twice: 1.5 * piece,
      says: /Retrying in \d+ s: connection reset/,
    },
    {
      fault: "the connection is cut; what came is kept",
      planned: cutInSecond,
      manner: "lasting",
      twice: megabyte,
      says: /connection reset/,
    },
    {
      fault: "the connection is cut; the piece is dropped",
      planned: cutInSecond,
      manner: "atomic",
      twice: piece / 2,
      says: /connection reset/,
    },
    {
      fault: "the connection is cut three times",
      planned: [0.1, 0.5, 0.9].map((at) => ({ method: "PATCH", after: 1, fault: { kind: "reset", at } })),
      manner: "lasting",
      twice: 3 * megabyte,
    },
    {
      fault: "the login runs out in the middle",
      planned: [{ method: "PATCH", after: 1, fault: { kind: "expire" } }],
      twice: 0,
    },
    {
      fault: "the login is refused in the middle of a body",
      planned: [{ method: "PATCH", after: 1, fault: { kind: "status", status: 401, at: 0.5 } }],
      manner: "lasting",
      twice: megabyte,
    },
    {
      fault: "the login runs out before the commit",
      planned: [{ method: "PUT", fault: { kind: "expire" } }],
      twice: 0,
    },
    {
      fault: "the commit says 404 and is done",
      planned: [{ method: "PUT", fault: { kind: "done-but", status: 404, code: "BLOB_UPLOAD_UNKNOWN" } }],
      twice: 0,
    },
    {
      fault: "the commit says 500 and is done",
      planned: [{ method: "PUT", fault: { kind: "done-but", status: 500 } }],
      twice: 0,
    },
    {
      fault: "the commit's answer is lost",
      planned: [{ method: "PUT", fault: { kind: "done-but", status: 0 } }],
      twice: 0,
    },
    {
      fault: "the commit fails once",
      planned: [{ method: "PUT", fault: { kind: "status", status: 503, at: 0 } }],
      twice: 0,
      says: /HTTP 503/,
    },
    {
      fault: "the commit is slow",
      planned: [{ method: "PUT", fault: { kind: "slow", milliseconds: 1_500 } }],
      twice: 0,
    },
    {
      fault: "a piece's answer is lost",
      planned: [{ method: "PATCH", after: 1, fault: { kind: "done-but", status: 0 } }],
      manner: "lasting",
      twice: 0,
    },
    {
      fault: "it is asked to wait",
      planned: [
        {
          method: "PATCH",
          after: 1,
          fault: { kind: "status", status: 429, at: 0, headers: { "retry-after": "1" } },
        },
      ],
      twice: 0,
      says: /Retrying in 1 s: HTTP 429/,
    },
    {
      fault: "the registry fails for a moment",
      planned: [{ method: "PATCH", times: 3, fault: { kind: "status", status: 500, at: 0 } }],
      twice: 0,
      says: /HTTP 500/,
    },
    {
      fault: "opening the upload fails for a moment",
      planned: [{ method: "POST", times: 2, fault: { kind: "status", status: 503 } }],
      twice: 0,
    },
    {
      fault: "the registry stops reading",
      planned: [{ method: "PATCH", after: 1, fault: { kind: "hang", at: 0.5 } }],
      manner: "lasting",
      twice: megabyte,
      says: /no answer/,
    },
    {
      fault: "a piece is sent on to another host",
      planned: [{ method: "PATCH", after: 1, fault: { kind: "redirect", status: 307 } }],
      twice: 0,
    },
    {
      fault: "the commit is sent on to another host",
      planned: [{ method: "PUT", fault: { kind: "redirect", status: 308 } }],
      twice: 0,
    },
    {
      fault: "the opening is sent on to another host",
      planned: [{ method: "POST", fault: { kind: "redirect", status: 307 } }],
      twice: 0,
    },
    {
      fault: "a status fails as well",
      planned: [...cutInSecond, { method: "GET", path: /uploads/, fault: { kind: "status", status: 502 } }],
      manner: "lasting",
      twice: megabyte,
      says: /HTTP 502/,
    },
    { fault: "it takes only 4 MiB a piece", planned: [], manner: "ghcr", twice: 0 },
    { fault: "it loses count of the pieces", planned: [], manner: "ecr", twice: 2 * piece },
    { fault: "it takes no pieces", planned: [], manner: "google", twice: 0 },
  ])("$fault", async ({ planned, manner = "distribution", twice, says }) => {
    server = await standIn({ manner, tokens: login });
    for (const fault of planned) server.inject(fault);
    const push = await pushTo(server);
    const blob = blobOf(large, { digestKnown });
    const result = await push.send(blob);
    expect(result).toMatchObject({ digest: blob.itsDigest, size: blobSize, how: "sent" });
    expect(stored(server, blob.itsDigest)).toBe(true);
    expect(sentTwice(server, blobSize)).toBeLessThanOrEqual(twice);
    expect(result.bytesSent).toBeGreaterThanOrEqual(blobSize);
    expect(push.sent.at(-1)).toBe(blobSize);
    if (says) expect(push.details.join("\n")).toMatch(says);
    expectNoSecret([...push.details, await cacheContent(push.cache)].join("\n"));
    // Nothing is left to go on with.
    expect(await cacheContent(push.cache)).not.toContain("offset");
  });
});

describe("what cannot be mended is said", () => {
  it.each<{ fault: string; planned: PlannedFault[]; code: string; says: RegExp }>([
    {
      fault: "the registry changes the bytes",
      planned: [{ method: "PATCH", times: 9, fault: { kind: "damage" } }],
      code: "registry_failed",
      says: /other bytes of model\/weights\.bin/,
    },
    {
      fault: "the registry names another digest",
      planned: [{ method: "PUT", fault: { kind: "wrong-digest" } }],
      code: "registry_failed",
      says: /keeps other bytes/,
    },
    {
      fault: "the connection is cut again and again",
      planned: [{ method: "PATCH", times: 99, fault: { kind: "reset", at: 0.1 } }],
      code: "registry_failed",
      says: /broke off again and again/,
    },
    {
      fault: "the registry fails for good",
      planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 500, at: 0 } }],
      code: "registry_failed",
      says: /HTTP 500/,
    },
    {
      fault: "it is asked to wait for an hour",
      planned: [
        {
          method: "PATCH",
          fault: { kind: "status", status: 429, at: 0, headers: { "retry-after": "3600" } },
        },
      ],
      code: "registry_failed",
      says: /limits how often.*3600 seconds/s,
    },
    {
      fault: "the login is refused again and again",
      planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 401, at: 0 } }],
      code: "denied",
      says: /does not allow/,
    },
    {
      fault: "the account may not write",
      planned: [{ method: "POST", fault: { kind: "status", status: 403, code: "DENIED" } }],
      code: "denied",
      says: /does not allow/,
    },
    {
      fault: "nothing that large is taken",
      planned: [{ method: "PATCH", times: 99, fault: { kind: "status", status: 413, at: 0 } }],
      code: "registry_failed",
      says: /too large/,
    },
  ])("$fault", async ({ planned, code, says }) => {
    server = await standIn({ tokens: login });
    for (const fault of planned) server.inject(fault);
    const push = await pushTo(server);
    const error = await failure(push.send(blobOf(large)));
    expect(error.code).toBe(code);
    expect([error.message, error.why, error.hint].join("\n")).toMatch(says);
    expectNoSecret([...push.details, await cacheContent(push.cache)].join("\n"));
  });
});
