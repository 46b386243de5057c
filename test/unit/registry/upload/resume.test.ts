import { spawnSync } from "node:child_process";
import { readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blobOf } from "../../../setup/bytes-blob.js";
import { piece, type StandIn, standIn } from "../../../setup/stand-in/for-test.js";
import type { MannerName } from "../../../setup/stand-in/manner.js";
import {
  cacheContent,
  expectNoSecret,
  failure,
  large,
  login,
  type Push,
  pushTo,
  repository,
  sentTwice,
  stored,
} from "./setup.js";

const blob = () => blobOf(large, { digestKnown: false });

/** A push that has failed for good in the middle of its second piece, and its one state file. */
async function brokenOff(
  manner: MannerName = "lasting",
): Promise<{ server: StandIn; push: Push; state: string }> {
  const server = await standIn({ manner, tokens: login });
  server.inject({ method: "PATCH", after: 1, fault: { kind: "status", status: 403, at: 0.5 } });
  const push = await pushTo(server);
  const error = await failure(push.send(blob()));
  expect(error.code).toBe("denied");
  const folder = join(push.cache, "modelship", "uploads");
  const [name = "", ...others] = await readdir(folder);
  expect(others).toEqual([]);
  return { server, push, state: join(folder, name) };
}

async function again({ server, push }: { server: StandIn; push: Push }) {
  const next = await pushTo(server, { cache: push.cache });
  const result = await next.send(blob());
  expect(stored(server, result.digest)).toBe(true);
  expect(server.store.corrupt()).toEqual([]);
  return result;
}

describe("a push that is started again", () => {
  it.each<[MannerName, number, number]>([
    ["lasting", 1.5 * piece, 0],
    ["atomic", piece, piece / 2],
  ])("goes on where the registry is (%s)", async (manner, resumed, twice) => {
    const first = await brokenOff(manner);
    expect(first.server.seen.map(({ method }) => method)).not.toContain("DELETE");
    const result = await again(first);
    expect(result).toMatchObject({ how: "sent", bytesResumed: resumed, bytesSent: large.length - resumed });
    expect(sentTwice(first.server, large.length)).toBe(twice);
    expect(await readdir(join(first.push.cache, "modelship", "uploads"))).toEqual([]);
  });

  it("begins anew where the registry has lost it", async () => {
    const first = await brokenOff("forgetful");
    expect(await again(first)).toMatchObject({ bytesResumed: 0, bytesSent: large.length });
  });

  it("begins anew when what it sends is not what it was", async () => {
    const first = await brokenOff();
    const next = await pushTo(first.server, { cache: first.push.cache });
    const changed = blobOf(large, { identity: "another time" });
    expect(await next.send(changed)).toMatchObject({ bytesResumed: 0 });
  });

  it("begins anew when the bytes that had come turn out to be others", async () => {
    const first = await brokenOff();
    for (const { chunks } of first.server.store.uploads.values()) chunks[0]?.fill(0);
    expect(await again(first)).toMatchObject({ digest: blob().itsDigest });
  });

  it("begins anew where the upload lay at a host that is gone", async () => {
    const first = await brokenOff();
    const state = JSON.parse(await readFile(first.state, "utf8"));
    await writeFile(first.state, JSON.stringify({ ...state, location: "http://127.0.0.1:9/upload" }));
    expect(await again(first)).toMatchObject({ bytesResumed: 0 });
  });

  it("goes on with what a process left that is gone", async () => {
    const first = await brokenOff();
    const gone = spawnSync(process.execPath, ["-e", "0"]).pid;
    await rename(first.state, `${first.state}.${gone}`);
    expect((await again(first)).bytesResumed).toBeGreaterThan(0);
  });

  it("keeps its hands off the upload of a process that lives", async () => {
    const first = await brokenOff();
    await rename(first.state, `${first.state}.${process.ppid}`);
    expect((await again(first)).bytesResumed).toBe(0);
    expect(await readdir(join(first.push.cache, "modelship", "uploads"))).toHaveLength(1);
  });

  it("forgets what is older than a day", async () => {
    const first = await brokenOff();
    const long = Date.now() / 1000 - 25 * 60 * 60;
    await utimes(first.state, long, long);
    expect((await again(first)).bytesResumed).toBe(0);
    expect(await readdir(join(first.push.cache, "modelship", "uploads"))).toEqual([]);
  });

  it("needs no cache folder", async () => {
    const server = await standIn();
    const push = await pushTo(server, { cache: "/dev/null/none" });
    expect(await push.send(blob())).toMatchObject({ how: "sent" });
  });
});

it("the state is for its owner's eyes, and holds no login", async () => {
  const { push, state } = await brokenOff();
  expect((await stat(state)).mode & 0o777).toBe(0o600);
  expectNoSecret(await cacheContent(push.cache));
});

it("the same blob pushed twice at once arrives twice, each in an upload of its own", async () => {
  const server = await standIn({ manner: "lasting" });
  const push = await pushTo(server);
  const other = await pushTo(server, { cache: push.cache });
  const results = await Promise.all([push.send(blob()), other.send(blob())]);
  expect(results.map(({ how }) => how)).toEqual(["sent", "sent"]);
  expect(server.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
  expect(server.store.corrupt()).toEqual([]);
  expect(server.store.repository(repository).blobs.size).toBe(1);
});
