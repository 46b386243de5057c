import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "../../src/docker/build.js";
import type { Engine } from "../../src/docker/client.js";
import {
  findImagesByLabel,
  imageHistory,
  inspectImage,
  removeImage,
  tagImage,
} from "../../src/docker/images.js";
import { loadImage, saveImage } from "../../src/docker/load.js";
import { pullImage } from "../../src/docker/pull.js";
import { pushImage } from "../../src/docker/push.js";
import { UserError } from "../../src/errors.js";
import { type ReporterEvent, silent } from "../../src/reporter.js";
import { base, requestOf, testEngine, textFile } from "./engine.js";

const run = randomBytes(4).toString("hex");
const mark = { "modelship.test.run": run };
const open = process.env.MODELSHIP_TEST_REGISTRY ?? "";
const guarded = process.env.MODELSHIP_TEST_AUTH_REGISTRY ?? "";
const login = {
  kind: "basic",
  username: process.env.MODELSHIP_TEST_AUTH_USER ?? "",
  password: process.env.MODELSHIP_TEST_AUTH_PASSWORD ?? "",
} as const;
const local = `modelship.test/images-${run}:1`;
let engine: Engine;
let id: string;

beforeAll(async () => {
  engine = await testEngine();
  const files = [textFile("random.txt", randomBytes(200_000).toString("hex"))];
  const dockerfile = `FROM ${base}\nCOPY random.txt /\nENV MODEL=digits\nEXPOSE 8080\nUSER 1000\nCMD ["true"]\n`;
  ({ id } = await build(engine, requestOf(dockerfile, { files, labels: mark, tags: [local] }), () => {}));
});

afterAll(async () => {
  for (const image of await findImagesByLabel(engine, mark))
    await removeImage(engine, image.id, { force: true });
});

async function failureOf(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test("an image is described, listed and named", async () => {
  const image = await inspectImage(engine, local);
  expect(image).toMatchObject({ id, labels: mark, platform: engine.info.platform });
  expect(image?.env.MODEL).toBe("digits");
  expect(image?.config).toMatchObject({ user: "1000", cmd: ["true"], exposedPorts: ["8080/tcp"] });
  expect(image?.size).toBeGreaterThan(400_000);
  expect(image?.layers.length).toBeGreaterThanOrEqual(2);
  expect((await findImagesByLabel(engine, mark)).map((one) => one.id)).toContain(id);
  expect(await findImagesByLabel(engine, { "modelship.test.run": "none" })).toEqual([]);
  expect((await findImagesByLabel(engine, {})).map((one) => one.id)).toContain(id);

  await tagImage(engine, id, `modelship.test/images-${run}:2`);
  expect((await inspectImage(engine, `modelship.test/images-${run}:2`))?.id).toBe(id);
  expect(await removeImage(engine, `modelship.test/images-${run}:2`)).toBe(true);
  expect(await removeImage(engine, `modelship.test/images-${run}:2`)).toBe(false);
  expect(await inspectImage(engine, "modelship.test/nothere:1")).toBeUndefined();
  const history = await imageHistory(engine, id);
  expect(history.some((entry) => entry.size > 400_000)).toBe(true);
  expect((await failureOf(tagImage(engine, id, "Not A Name:1"))).code).toBe("reference");
  expect((await failureOf(tagImage(engine, "modelship.test/nothere:1", "x.test/y:1"))).code).toBe(
    "image_not_found",
  );
});

describe.sequential("a push", () => {
  test("ends with the digest, sends layers once, and can be pulled back", async () => {
    const ref = `${open}/images-${run}:1`;
    await tagImage(engine, id, ref);
    const events: ReporterEvent[] = [];
    const first = await pushImage(engine, ref, undefined, (event) => events.push(event));
    expect(first.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    // The containerd store names no bytes for a layer that was quick.
    if (engine.info.store === "classic") expect(first.bytesSent).toBeGreaterThan(0);
    const answer = await fetch(`http://${open}/v2/images-${run}/manifests/1`, {
      method: "HEAD",
      headers: {
        accept: [
          "application/vnd.docker.distribution.manifest.v2+json",
          "application/vnd.oci.image.manifest.v1+json",
          "application/vnd.oci.image.index.v1+json",
        ].join(", "),
      },
    });
    expect(answer.headers.get("docker-content-digest")).toBe(first.digest);

    const started = events.filter((event) => event.type === "task-started");
    const ended = events.filter((event) => event.type === "task-ended");
    expect(ended).toHaveLength(started.length);
    for (const event of events)
      if (event.type === "task-progress" && event.total !== undefined)
        expect(event.current).toBeLessThanOrEqual(event.total);

    const again: ReporterEvent[] = [];
    const second = await pushImage(engine, ref, undefined, (event) => again.push(event));
    expect(second.digest).toBe(first.digest);
    if (engine.info.kind === "podman") {
      // It says nothing about layers.
      expect(started).toEqual([]);
    } else {
      expect(started.length).toBeGreaterThanOrEqual(2);
      expect(again.some((event) => event.type === "task-ended" && event.outcome === "cached")).toBe(true);
      expect(second.bytesSent).toBeLessThan(100_000);
      expect(second.bytesSkipped).toBeGreaterThan(400_000);
    }

    await removeImage(engine, ref);
    const pulled = await pullImage(engine, ref, { credentials: async () => undefined, report: silent });
    expect(pulled.labels).toMatchObject(mark);
    const byDigest = `${open}/images-${run}@${first.digest}`;
    const exact = await pullImage(engine, byDigest, { credentials: async () => undefined, report: silent });
    expect(exact.id).toBe(pulled.id);
    await removeImage(engine, ref);
  });

  test("without credentials asks who you are; with them it is done", async () => {
    const ref = `${guarded}/images-${run}:1`;
    await tagImage(engine, id, ref);
    const error = await failureOf(pushImage(engine, ref, undefined, silent));
    expect(error.code).toBe("authentication");
    expect(error.hint).toContain(`login ${guarded}`);
    const wrong = { ...login, password: "wrong" };
    expect((await failureOf(pushImage(engine, ref, wrong, silent))).code).toBe("authentication");
    expect((await pushImage(engine, ref, login, silent)).digest).toMatch(/^sha256:/);

    await removeImage(engine, ref);
    const anonymous = { credentials: async () => undefined, report: silent };
    expect((await failureOf(pullImage(engine, ref, anonymous))).code).toBe("authentication");
    const image = await pullImage(engine, ref, { credentials: async () => login, report: silent });
    expect(image.labels).toMatchObject(mark);
    await removeImage(engine, ref);
  });

  test("fails with a reason", async () => {
    expect((await failureOf(pushImage(engine, `${open}/nothere:1`, undefined, silent))).code).toBe(
      "image_not_found",
    );
    expect((await failureOf(pushImage(engine, `${open}/images-${run}`, undefined, silent))).code).toBe(
      "reference",
    );
    const ref = `127.0.0.1:9/images-${run}:1`;
    await tagImage(engine, id, ref);
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), 20_000);
    const error = await failureOf(pushImage(engine, ref, undefined, silent, control.signal));
    clearTimeout(limit);
    expect(["push_failed", "interrupted"]).toContain(error.code);
    await removeImage(engine, ref);
  }, 60_000);
});

test("a pull that cannot be done says why", async () => {
  const options = { credentials: async () => undefined, report: silent };
  const missing = await failureOf(pullImage(engine, `${open}/modelship/nothere:1`, options));
  expect(missing.code).toBe("pull_failed");
  expect(missing.message).toContain("no such image");
  const nowhere = await failureOf(pullImage(engine, "registry.invalid/a/b:1", options));
  expect(nowhere.code).toBe("pull_failed");
  expect(nowhere.message).toContain("cannot reach");
  const aborted = pullImage(engine, `${open}/x:1`, { ...options, signal: AbortSignal.abort() });
  expect((await failureOf(aborted)).code).toBe("interrupted");
});

test("an image goes out as an archive and comes back", async () => {
  const ref = `modelship.test/archive-${run}:1`;
  await tagImage(engine, id, ref);
  const parts: Buffer[] = [];
  for await (const part of await saveImage(engine, [ref])) parts.push(part as Buffer);
  await removeImage(engine, ref);
  const { Readable } = await import("node:stream");
  const loaded = await loadImage(engine, Readable.from(parts));
  expect([...loaded.names, ...loaded.ids].join()).toContain(`archive-${run}`);
  expect((await inspectImage(engine, ref))?.id).toBe(id);
  await removeImage(engine, ref);
  const broken = await failureOf(loadImage(engine, Readable.from([Buffer.from("not a tar")])));
  expect(broken.exitCode).toBe(1);
});
