import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type CompiledPush, compilePush } from "../../../setup/compiled-push.js";
import { folderWith } from "../../../setup/folder.js";
import { piece, type StandIn, standIn } from "../../../setup/stand-in/for-test.js";
import { manners } from "../../../setup/stand-in/manner.js";
import { login, megabyte, repository } from "./setup.js";

const size = 3 * piece + megabyte;
const kills = 7;

/** Pushes until it is through, killed at random moments. */
async function pushThrough(push: CompiledPush, server: StandIn, folder: string) {
  for (let attempt = 1; ; attempt++) {
    const moment = attempt <= kills ? randomInt(size) : Number.POSITIVE_INFINITY;
    const result = await push.start({
      registry: server.host,
      repository,
      file: join(folder, "weights.bin"),
      cache: folder,
      username: login.username,
      password: login.password,
      onSent: (sent, child) => {
        if (sent >= moment) child.kill("SIGKILL");
      },
    });
    if (result) return { result, killed: attempt - 1 };
  }
}

it("killed at random moments and started again, a push ends with the right bytes, at most one piece sent twice a kill", async () => {
  const content = randomBytes(size);
  const folder = await folderWith({ "weights.bin": content });
  const push = await compilePush();
  const whole = await pushThrough(
    { start: (options) => push.start({ ...options, onSent: () => {} }) },
    await standIn({ tokens: login }),
    folder,
  );
  for (const manner of ["lasting", "atomic", "forgetful", "distribution"] as const) {
    const server = await standIn({ manner, tokens: login });
    const { result, killed } = await pushThrough(push, server, folder);
    expect(result.digest).toBe(whole.result.digest);
    expect(server.store.corrupt()).toEqual([]);
    const { blobs, bytesReceived } = server.store.repository(repository);
    expect([...blobs.keys()]).toEqual([result.digest]);
    expect(killed).toBeGreaterThan(0);
    // Docker's registry gives up an upload that was cut in the middle of a piece.
    const lost = manners[manner].cut === "fatal" ? size : piece;
    const twice = bytesReceived - (blobs.get(result.digest)?.length ?? 0);
    expect(twice).toBeLessThanOrEqual(killed * lost);
  }
}, 120_000);
