import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createRelay, connect as dialSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "../../src/docker/build.js";
import type { BuildEvent } from "../../src/docker/build-events.js";
import { connect, type Engine } from "../../src/docker/client.js";
import { findImagesByLabel, imageHistory, inspectImage, removeImage } from "../../src/docker/images.js";
import { UserError } from "../../src/errors.js";
import { base, eventually, processesWith, requestOf, testEngine, textFile } from "./engine.js";

let engine: Engine;
let folder: string;
const run = randomBytes(4).toString("hex");
const mark = { "modelship.test.run": run };
const name = `modelship.test/build-${run}`;

beforeAll(async () => {
  engine = await testEngine();
  folder = await mkdtemp(join(tmpdir(), "modelship-build-"));
});

afterAll(async () => {
  for (const image of await findImagesByLabel(engine, mark))
    await removeImage(engine, image.id, { force: true });
  await rm(folder, { recursive: true });
});

async function failureOf(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

function collector(): { events: BuildEvent[]; on: (event: BuildEvent) => void; lines: () => string[] } {
  const events: BuildEvent[] = [];
  return {
    events,
    on: (event) => events.push(event),
    lines: () => events.flatMap((event) => (event.type === "log" ? [event.line] : [])),
  };
}

describe("a build that succeeds", () => {
  const files = [
    textFile("app/main.py", "print('hello')\n", 0o755),
    textFile("app/sub/data.txt", "data\n"),
    textFile("app-notes.txt", "sorts between app and app/\n"),
    textFile("Ünïcode file.txt", "ä\n"),
  ];
  const dockerfile = `FROM ${base}
COPY app /app
COPY ["Ünïcode file.txt", "app-n*.txt", "/app/"]
RUN python3 /app/main.py && printf 'ten\\rtwenty\\rthirty\\n' && find /app | sort
`;

  test("is tagged and labelled, and says what it did", async () => {
    const seen = collector();
    const tags = [`${name}:one`, `${name}:two`];
    const outcome = await build(
      engine,
      requestOf(dockerfile, { files, tags, labels: mark, noCache: true }),
      seen.on,
    );

    expect(outcome.id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(outcome.steps).toBeGreaterThanOrEqual(4);
    for (const tag of tags) expect((await inspectImage(engine, tag))?.id).toBe(outcome.id);
    const image = await inspectImage(engine, outcome.id);
    expect(image?.labels).toMatchObject(mark);
    expect(image?.platform).toBe(engine.info.platform);

    const lines = seen.lines();
    expect(lines).toContain("hello");
    expect(lines).toContain("thirty");
    expect(lines).toContain("/app/sub/data.txt");
    expect(lines).toContain("/app/Ünïcode file.txt");
    expect(lines).toContain("/app/app-notes.txt");
    const ended = seen.events.filter((event) => event.type === "step" && event.state !== "started");
    expect(ended.some((event) => event.type === "step" && event.name.includes("RUN python3"))).toBe(true);
  });

  test("is taken from the cache the second time, and sends nothing that is not needed", async () => {
    // No COPY names it: with BuildKit it is never opened, so it need not even be there.
    const unused = {
      path: "unused.bin",
      mode: 0o644,
      size: 9,
      source: { file: "/nowhere/unused.bin" },
    } as const;
    const all = engine.info.buildkit ? [...files, unused] : files;
    const request = requestOf(dockerfile, { files: all, tags: [`${name}:one`], labels: mark });
    await build(engine, request, () => {});
    const seen = collector();
    const outcome = await build(engine, request, seen.on);
    const cached = seen.events.filter((event) => event.type === "step" && event.state === "cached");
    expect(cached.length).toBeGreaterThanOrEqual(3);
    // The base image itself is not fetched or made: BuildKit does not call that cached.
    expect(outcome.cachedSteps).toBeGreaterThanOrEqual(outcome.steps - 1);
    expect(seen.lines()).not.toContain("hello");
  });

  test("notices an edit that keeps a file's size", async () => {
    const path = join(folder, "same-size.txt");
    const one = requestOf(`FROM ${base}\nCOPY f.txt /f.txt\nRUN cat /f.txt\n`, {
      files: [{ path: "f.txt", mode: 0o644, size: 5, source: { file: path } }],
      tags: [`${name}:edit`],
      labels: mark,
    });
    for (const text of [`${run.slice(0, 3)}1\n`, `${run.slice(0, 3)}2\n`]) {
      await writeFile(path, text);
      const seen = collector();
      await build(engine, one, seen.on);
      expect(seen.lines()).toContain(text.trim());
    }
  });
});

test("a secret reaches RUN, and nothing of it stays", async () => {
  const value = `secret-${randomBytes(12).toString("hex")}`;
  const dockerfile = `FROM ${base}
COPY . /all
RUN --mount=type=secret,id=one cat /run/secrets/one | tr a-z A-Z > /dev/null && test "$(wc -c < /run/secrets/one)" = ${value.length}
RUN --mount=type=secret,id=one --mount=type=secret,id=two,target=/tmp/two sleep 2; test "$(cat /tmp/two)" = "$(printf two-; cat /run/secrets/one)" && ls -A /all
`;
  const request = requestOf(dockerfile, {
    files: [textFile("keep.txt", "x")],
    tags: [`${name}:secret`],
    labels: mark,
    noCache: true,
    secrets: [
      { id: "one", read: async () => Buffer.from(value) },
      { id: "two", read: async () => Buffer.from(`two-${value}`) },
    ],
  });
  const seen = collector();
  if (!engine.info.buildkit && engine.info.kind === "docker") {
    const error = await failureOf(build(engine, request, seen.on));
    expect(error.code).toBe("engine_unsupported");
    return;
  }
  const { id } = await build(engine, request, seen.on);
  expect(seen.lines().filter((line) => line !== "" && !line.startsWith("-->"))).toEqual(["keep.txt"]);
  expect(JSON.stringify(await imageHistory(engine, id))).not.toContain(value);
  expect(JSON.stringify(await inspectImage(engine, id))).not.toContain(value);
  expect(JSON.stringify(seen.events)).not.toContain(value);
});

test("a build without a network has none", async () => {
  const seen = collector();
  const dockerfile = `FROM ${base}\nRUN cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '\n`;
  await build(engine, requestOf(dockerfile, { network: "none", noCache: true, labels: mark }), seen.on);
  expect(seen.lines().filter((line) => line !== "" && !line.startsWith("-->"))).toEqual(["lo"]);
  const error = await failureOf(
    build(engine, requestOf(dockerfile, { network: "no-such-network", noCache: true }), () => {}),
  );
  expect(["engine_unsupported", "build_failed"]).toContain(error.code);
  expect(error.message + error.why).toContain("no-such-network");
});

describe("a build that fails says where and why", () => {
  test("in a RUN step, with its last lines", async () => {
    const dockerfile = `FROM ${base}\nRUN seq 1 40; echo to stderr >&2; sleep 0.2; echo the end; exit 3\n`;
    const seen = collector();
    const tags = [`${name}:never`];
    const error = await failureOf(build(engine, requestOf(dockerfile, { tags, noCache: true }), seen.on));
    expect(error.code).toBe("build_failed");
    expect(error.message).toContain("RUN seq 1 40");
    expect(error.why).toContain("exit code 3");
    expect(error.excerpt.at(-1)).toBe("the end");
    expect(error.excerpt).toHaveLength(15);
    expect(seen.lines()).toContain("7");
    expect(seen.lines()).toContain("to stderr");
    expect(seen.events).toContainEqual(expect.objectContaining({ type: "step", state: "failed" }));
    expect(await inspectImage(engine, `${name}:never`)).toBeUndefined();
  });

  test("in the Dockerfile", async () => {
    const error = await failureOf(build(engine, requestOf(`FROM ${base}\nRUNN true\n`), () => {}));
    expect(error.code).toBe("build_failed");
    expect(`${error.message} ${error.why}`).toMatch(/RUNN/i);
  });

  test("in a COPY of a file that is not there", async () => {
    const dockerfile = `FROM ${base}\nCOPY nothere.txt /\n`;
    const error = await failureOf(
      build(engine, requestOf(dockerfile, { files: [textFile("a", "")] }), () => {}),
    );
    expect(error.code).toBe("build_failed");
    expect(error.why).toContain("nothere.txt");
  });

  test("in a base image that cannot be had", async () => {
    const registry = process.env.MODELSHIP_TEST_REGISTRY;
    const dockerfile = `FROM ${registry}/modelship/nothere:1\nRUN true\n`;
    const error = await failureOf(build(engine, requestOf(dockerfile), () => {}));
    expect(error.code).toBe("pull_failed");
    expect(error.message).toContain("nothere");
    expect(error.hint).toContain("--base");
  });

  test("in a base image whose registry cannot be reached", async () => {
    const dockerfile = "FROM registry.invalid/some/base:1\nRUN true\n";
    const error = await failureOf(build(engine, requestOf(dockerfile), () => {}));
    expect(error.code).toBe("pull_failed");
    expect(error.message).toContain("registry.invalid");
  });

  test("in a context file that is gone", async () => {
    const gone = {
      path: "gone.bin",
      mode: 0o644,
      size: 10,
      source: { file: join(folder, "gone.bin") },
    } as const;
    const dockerfile = `FROM ${base}\nCOPY gone.bin /\n`;
    const error = await failureOf(build(engine, requestOf(dockerfile, { files: [gone] }), () => {}));
    expect(error.code).toBe("file_failed");
    expect(error.message).toContain("gone.bin");
  });

  test("in a context file that shrinks while it is sent", async () => {
    const path = join(folder, "shrinks.bin");
    const size = 200 * 1024 * 1024;
    await writeFile(path, "");
    await truncate(path, size);
    const shrinks = { path: "shrinks.bin", mode: 0o644, size, source: { file: path } } as const;
    const work = build(
      engine,
      requestOf(`FROM ${base}\nCOPY shrinks.bin /\n`, { files: [shrinks] }),
      () => {},
    );
    setTimeout(() => truncate(path, size / 2), 60);
    const error = await failureOf(work);
    expect(error.code).toBe("file_failed");
    expect(error.message).toContain("shrinks.bin");
  });
});

test("300 MB of context stream through without being held", async () => {
  const path = join(folder, "large.bin");
  const size = 300 * 1024 * 1024;
  const handle = await open(path, "w");
  const piece = randomBytes(1024 * 1024);
  for (let at = 0; at < size; at += piece.length) await handle.write(piece);
  await handle.close();
  const files = [{ path: "large.bin", mode: 0o644, size, source: { file: path } } as const];
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  const dockerfile = `FROM ${base}\nCOPY large.bin /\nRUN stat -c %s /large.bin && rm /large.bin\n`;
  const seen = collector();
  const { id } = await build(engine, requestOf(dockerfile, { files, labels: mark }), seen.on);
  clearInterval(watch);
  expect(seen.lines()).toContain(String(size));
  expect((most - before) / 2 ** 20).toBeLessThan(150);
  await removeImage(engine, id, { force: true });
});

describe("an interrupted build", () => {
  test("in the middle of a RUN ends soon and leaves nothing", async () => {
    // Podman has no way to end a step that runs (the error says so): there it has to end by itself.
    const seconds = `${engine.info.kind === "podman" ? 6 : 97531}.${Number.parseInt(run.slice(0, 4), 16)}`;
    const control = new AbortController();
    const dockerfile = `FROM ${base}\nRUN sleep ${seconds}\n`;
    const tags = [`${name}:aborted`];
    const work = build(engine, requestOf(dockerfile, { tags, noCache: true }), () => {}, control.signal);
    const failed = failureOf(work);
    await eventually("the step runs", 20, async () => (await processesWith(`sleep\0${seconds}`)) > 0);
    const began = performance.now();
    control.abort();
    const error = await failed;
    expect(error.code).toBe("interrupted");
    expect(error.why ?? "").toMatch(engine.info.kind === "podman" ? /after the step/ : /^$/);
    expect(performance.now() - began).toBeLessThan(1000);
    await eventually("the step is gone", 15, async () => (await processesWith(seconds)) === 0);
    await eventually("no container is left", 10, async () => {
      const all = await engine.docker.listContainers({ all: true });
      return !all.some((container) => container.Command.includes(seconds));
    });
    expect(await inspectImage(engine, `${name}:aborted`)).toBeUndefined();
  });

  test("before it began, and at any moment after, is just interrupted", async () => {
    const dockerfile = `FROM ${base}\nCOPY a.txt /\nRUN echo ${run}\n`;
    const request = requestOf(dockerfile, { files: [textFile("a.txt", run)], labels: mark, noCache: true });
    expect((await failureOf(build(engine, request, () => {}, AbortSignal.abort()))).code).toBe("interrupted");
    for (const wait of [0, 2, 10, 40]) {
      const control = new AbortController();
      setTimeout(() => control.abort(), wait);
      const error = await failureOf(build(engine, request, () => {}, control.signal));
      expect(error.code).toBe("interrupted");
    }
  });
});

test("credentials reach the registry of the base image, and no other", async () => {
  const asked: { host: string | undefined; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    asked.push({ host: request.headers.host, authorization: request.headers.authorization });
    response.writeHead(request.headers.authorization ? 404 : 401, {
      "www-authenticate": 'Basic realm="test"',
      "content-type": "application/json",
    });
    response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wanted: string[] = [];
  const credentials = async (host: string) => {
    wanted.push(host);
    return host === registry
      ? ({ kind: "basic", username: "me", password: "pä?>ss" } as const)
      : ({ kind: "basic", username: "other", password: "wrong" } as const);
  };
  const error = await failureOf(
    build(engine, requestOf(`FROM ${registry}/team/base:1\nRUN true\n`, { credentials }), () => {}),
  );
  server.close();
  server.closeAllConnections();
  expect(error.code).toBe("pull_failed");
  expect(new Set(wanted)).toEqual(new Set([registry]));
  const sent = asked.flatMap(({ authorization }) => (authorization ? [authorization] : []));
  expect(sent.length).toBeGreaterThan(0);
  const basic = `Basic ${Buffer.from("me:pä?>ss").toString("base64")}`;
  expect(new Set(sent)).toEqual(new Set([basic]));
});

test("an answer that is cut off is no success", async () => {
  const address = engine.endpoint.host.replace(/^unix:\/\//, "");
  const relay = createRelay((client) => {
    const upstream = dialSocket(address);
    let building = false;
    let rows = 0;
    client.on("data", (data) => {
      building ||= /^POST \/v[\d.]+\/build\?/.test(data.toString("latin1"));
      upstream.write(data);
    });
    upstream.on("data", (data) => {
      client.write(data);
      if (building) rows += data.length;
      if (rows > 400) client.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  const path = join(folder, "relay.sock");
  await new Promise<void>((resolve) => relay.listen(path, resolve));
  const cut = await connect({ host: `unix://${path}`, source: "the test" });
  const dockerfile = `FROM ${base}\nRUN echo ${"x".repeat(500)}\nRUN seq 1 100\nRUN seq 1 10\n`;
  const tags = [`${name}:cut`];
  const error = await failureOf(build(cut, requestOf(dockerfile, { tags, noCache: true }), () => {}));
  relay.close();
  expect(error.code).toBe("engine_unreachable");
  expect(error.message).toContain("stopped answering");
  expect(await inspectImage(engine, `${name}:cut`)).toBeUndefined();
});
