import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { blobOf } from "../../../setup/bytes-blob.js";
import { standIn } from "../../../setup/stand-in/for-test.js";
import { failure, huge, large, login, megabyte, pushTo, repository, sentTwice, stored } from "./setup.js";

const small = randomBytes(5_000);
const medium = randomBytes(3 * megabyte);

const methodsOf = (seen: readonly { method: string; path: string }[]) =>
  seen.filter(({ path }) => path.includes("/blobs/")).map(({ method }) => method);

it("a blob that is there is not sent", async () => {
  const server = await standIn();
  const push = await pushTo(server);
  const blob = blobOf(medium);
  server.store.repository(repository).blobs.set(blob.itsDigest, medium);
  expect(await push.send(blob)).toMatchObject({ how: "present", bytesSent: 0 });
  expect(blob.opened).toEqual([]);
  expect(push.sent).toEqual([medium.length]);
});

it("a small blob goes in one request with its commit, whether its digest was known or not", async () => {
  for (const digestKnown of [true, false]) {
    const server = await standIn();
    const blob = blobOf(small, { digestKnown });
    const result = await (await pushTo(server)).send(blob);
    expect(result).toEqual({
      digest: blob.itsDigest,
      size: 5_000,
      how: "sent",
      bytesSent: 5_000,
      bytesResumed: 0,
    });
    expect(stored(server, blob.itsDigest)).toBe(true);
    expect(methodsOf(server.seen)).toEqual(["HEAD", "POST", "PUT"]);
  }
});

it("an empty blob arrives too", async () => {
  const server = await standIn();
  const blob = blobOf(Buffer.alloc(0));
  expect(await (await pushTo(server)).send(blob)).toMatchObject({ how: "sent", size: 0 });
  expect(stored(server, blob.itsDigest)).toBe(true);
});

it("what fits into one piece is not called a piece", async () => {
  const server = await standIn({ manner: "google" });
  const push = await pushTo(server);
  await push.send(blobOf(medium));
  expect(methodsOf(server.seen)).toEqual(["HEAD", "POST", "PATCH", "PUT"]);
});

it("a large blob goes in pieces, is read once, and only its digest is asked for at the end", async () => {
  const server = await standIn();
  const push = await pushTo(server);
  const blob = blobOf(large, { digestKnown: false });
  await push.send(blob);
  expect(methodsOf(server.seen)).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  expect(blob.opened).toEqual([0]);
  expect(sentTwice(server, large.length)).toBe(0);
});

it("Docker's registry gets a large blob in one stream, and pieces after a break", async () => {
  const server = await standIn({ manner: "distribution" });
  const push = await pushTo(server);
  await push.send(blobOf(huge()));
  expect(methodsOf(server.seen)).toEqual(["HEAD", "POST", "PATCH", "PUT"]);
  server.inject({ method: "PATCH", fault: { kind: "reset", at: 0.5 } });
  const seen = server.seen.length;
  await push.send(blobOf(huge()));
  const after = methodsOf(server.seen.slice(seen));
  expect(after.filter((method) => method === "PATCH").length).toBeGreaterThan(2);
});

it("pieces grow where the registry is quick", async () => {
  const server = await standIn({ manner: { cut: "fatal", taken: 202 } });
  await (await pushTo(server)).send(blobOf(huge()));
  expect(methodsOf(server.seen)).toEqual(["HEAD", "POST", "PATCH", "PATCH", "PUT"]);
});

it("a registry that names its largest piece gets no larger one", async () => {
  const server = await standIn({
    manner: { cut: "kept", taken: 202, advertised: 8 * megabyte, largestPiece: 8 * megabyte },
  });
  await (await pushTo(server)).send(blobOf(large));
  expect(methodsOf(server.seen).filter((method) => method === "PATCH")).toHaveLength(5);
});

it("behind a proxy that limits bodies, pieces get smaller, and are small at once the next time", async () => {
  const server = await standIn({ manner: { cut: "fatal", taken: 202, largestBody: 20 * megabyte } });
  const push = await pushTo(server);
  const blob = blobOf(huge());
  await push.send(blob);
  expect(stored(server, blob.itsDigest)).toBe(true);
  const refused = server.seen.length;
  await push.send(blobOf(randomBytes(40 * megabyte)));
  // 16 MiB each, none refused.
  expect(methodsOf(server.seen.slice(refused))).toEqual(["HEAD", "POST", "PATCH", "PATCH", "PATCH", "PUT"]);
});

it("a registry that refused pieces is not offered any the next time", async () => {
  const server = await standIn({ manner: "ghcr" });
  const push = await pushTo(server);
  await push.send(blobOf(huge()));
  const before = server.seen.length;
  const other = await pushTo(server, { cache: push.cache });
  await other.send(blobOf(huge()));
  expect(methodsOf(server.seen.slice(before))).toEqual(["HEAD", "POST", "PATCH", "PUT"]);
});

it("uploads that lie on another host work, and it sees no login", async () => {
  const server = await standIn({ tokens: login, uploadsElsewhere: true });
  const blob = blobOf(large);
  await (await pushTo(server)).send(blob);
  expect(stored(server, blob.itsDigest)).toBe(true);
  const there = server.seen.filter(({ host }) => host === server.elsewhere);
  expect(there.map(({ method }) => method)).toEqual(["PATCH", "PATCH", "PATCH", "PUT"]);
  expect(there.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
});

it("several blobs at once ask once for a token", async () => {
  const server = await standIn({ tokens: login });
  const push = await pushTo(server);
  await Promise.all([1, 2, 3, 4].map((seed) => push.send(blobOf(randomBytes(1000 + seed)))));
  expect(server.tokens?.asked).toBe(1);
});

it("a token that ends soon is renewed before the next piece, so that none is refused", async () => {
  const server = await standIn({ tokens: { ...login, lifetime: 2 } });
  server.inject({ method: "PATCH", times: 3, fault: { kind: "slow", milliseconds: 700 } });
  const push = await pushTo(server);
  await push.send(blobOf(large));
  expect(server.tokens?.asked).toBeGreaterThan(1);
  expect(sentTwice(server, large.length)).toBe(0);
});

it("a blob of another repository is mounted, with a token for both", async () => {
  const server = await standIn({ tokens: login });
  const blob = blobOf(medium);
  server.store.repository("acme/base").blobs.set(blob.itsDigest, medium);
  const push = await pushTo(server);
  const result = await push.send(blob, { mountFrom: ["acme/none", "acme/base"] });
  expect(result).toMatchObject({ how: "mounted", bytesSent: 0 });
  expect(stored(server, blob.itsDigest)).toBe(true);
  // The upload that the first attempt opened is given back.
  expect(server.store.uploads.size).toBe(0);
});

it("a mount that is not granted becomes an upload, in the session that the registry opened", async () => {
  const server = await standIn();
  const push = await pushTo(server);
  expect(await push.send(blobOf(medium), { mountFrom: ["acme/base"] })).toMatchObject({ how: "sent" });
  expect(methodsOf(server.seen)).toEqual(["HEAD", "POST", "PATCH", "PUT"]);
});

it.each([400, 401, 403, 404, 500])(
  "a mount that is answered with HTTP %d becomes an upload",
  async (status) => {
    const server = await standIn({ tokens: login });
    server.inject({ method: "POST", path: /mount=/, times: 9, fault: { kind: "status", status } });
    const blob = blobOf(medium);
    expect(await (await pushTo(server)).send(blob, { mountFrom: ["acme/base"] })).toMatchObject({
      how: "sent",
    });
    expect(stored(server, blob.itsDigest)).toBe(true);
  },
);

it("a push that is stopped leaves nothing open at the registry", async () => {
  const server = await standIn({ tokens: login });
  const push = await pushTo(server);
  const stop = new AbortController();
  server.inject({ method: "PATCH", fault: { kind: "hang", at: 0.2 } });
  const work = push.send(blobOf(medium), { signal: stop.signal });
  await expect.poll(() => methodsOf(server.seen)).toContain("PATCH");
  stop.abort();
  const error = await failure(work);
  expect(error.code).toBe("interrupted");
  expect(methodsOf(server.seen).at(-1)).toBe("DELETE");
});

it("a registry that sends uploads into the inner network or off TLS is not followed", async () => {
  const server = await standIn();
  server.inject({
    method: "POST",
    fault: { kind: "status", status: 202, headers: { location: "file:///etc/passwd" } },
  });
  const error = await failure((await pushTo(server)).send(blobOf(medium)));
  expect(error.message).toMatch(/cannot be used/);
});

it("a file that changed is named", async () => {
  const server = await standIn();
  const blob = blobOf(small);
  const other = `sha256:${"1".repeat(64)}`;
  const error = await failure((await pushTo(server)).send({ ...blob, digest: other }));
  expect(error.code).toBe("file_failed");
  expect(error.message).toContain("model/weights.bin");
  const bigger = await failure((await pushTo(server)).send({ ...blobOf(medium), digest: other }));
  expect(bigger.message).toContain("other bytes of model/weights.bin");
  expect(server.store.corrupt()).toEqual([]);
});
