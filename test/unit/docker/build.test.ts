import { afterEach, expect, test } from "vitest";
import { type BuildRequest, build } from "../../../src/docker/build.js";
import { connect, type Engine } from "../../../src/docker/client.js";
import { UserError } from "../../../src/errors.js";
import { type Answers, type FakeEngine, fakeEngine, json } from "./fake-engine.js";

const open: FakeEngine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
});

const docker = json({ Version: "20.10.24", ApiVersion: "1.41", Os: "linux", Arch: "amd64" });
const podman = json({ Version: "4.3.1", ApiVersion: "1.41", Components: [{ Name: "Podman Engine" }] });
const id = `sha256:${"a".repeat(64)}`;

async function engineWith(answers: Answers, env = {}): Promise<{ engine: Engine; fake: FakeEngine }> {
  const fake = await fakeEngine({ "/version": docker, [`/images/${id}/json`]: json({ Id: id }), ...answers });
  open.push(fake);
  return { fake, engine: await connect({ host: fake.host, source: "the test" }, { env }) };
}

/** An answer to /build that reads the whole request first. */
function rows(rowList: unknown[], end: "end" | "cut" = "end"): Answers[string] {
  return (request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json" });
      for (const row of rowList) response.write(`${JSON.stringify(row)}\n`);
      if (end === "end") response.end();
      else setTimeout(() => response.destroy(), 20);
    });
  };
}

const request: BuildRequest = {
  dockerfile: "FROM ghcr.io/a/base:1\nRUN true\n",
  files: [],
  tags: ["x/y:1", "x/y:latest"],
  labels: { a: "b" },
  buildArgs: { HTTP_PROXY: "http://p" },
  secrets: [],
  noCache: false,
  pull: false,
  credentials: async () => undefined,
};

async function failureOf(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test("BuildKit is asked through a session, with an empty body; tags follow success", async () => {
  const built = rows([{ id: "moby.image.id", aux: { ID: id } }]);
  const { engine, fake } = await engineWith({ "/build": built, [`/images/${id}/tag`]: json({}, 201) });
  const outcome = await build(engine, request, () => {});
  expect(outcome.id).toBe(id);
  const ask = fake.requests.find(({ url }) => url.includes("/build?"));
  const query = new URL(`http://x${ask?.url}`).searchParams;
  expect(Object.fromEntries(query)).toMatchObject({
    version: "2",
    remote: "client-session",
    dockerfile: "Dockerfile",
    labels: '{"a":"b"}',
    buildargs: '{"HTTP_PROXY":"http://p"}',
  });
  expect(query.has("t")).toBe(false);
  expect(ask?.headers["content-length"]).toBe("0");
  const session = fake.requests.find(({ url }) => url.endsWith("/session"));
  expect(query.get("session")).toBe(session?.headers["x-docker-expose-session-uuid"]);
  const tags = fake.requests
    .filter(({ url }) => url.includes("/tag?"))
    .map(({ url }) => url.replace(/.*\?/, ""));
  expect(tags).toEqual(["repo=x%2Fy&tag=1", "repo=x%2Fy&tag=latest"]);
  const closed = await fake.session();
  await new Promise((resolve) =>
    closed.closed || closed.destroyed ? resolve(null) : closed.once("close", resolve),
  );
});

test("an answer without an image, with an image that is not there, or cut off is a failure", async () => {
  const { engine: none } = await engineWith({ "/build": rows([{ stream: "x" }]) });
  expect((await failureOf(build(none, request, () => {}))).message).toContain("without an image");
  const other = `sha256:${"b".repeat(64)}`;
  const { engine: absent } = await engineWith({
    "/build": rows([{ id: "moby.image.id", aux: { ID: other } }]),
  });
  expect((await failureOf(build(absent, request, () => {}))).code).toBe("build_failed");
  const done = [{ id: "moby.image.id", aux: { ID: id } }];
  const { engine: cut, fake } = await engineWith({ "/build": rows(done, "cut") });
  expect((await failureOf(build(cut, request, () => {}))).code).toBe("engine_unreachable");
  expect(fake.requests.some(({ url }) => url.includes("/tag?"))).toBe(false);
});

test("an error row counts even when the connection breaks after it", async () => {
  const failed = [{ errorDetail: { message: "no space left on device" }, error: "no space left on device" }];
  const { engine } = await engineWith({ "/build": rows(failed, "cut") });
  expect((await failureOf(build(engine, request, () => {}))).code).toBe("disk_full");
});

test("a step that looks for the session of an interrupted build is asked for again", async () => {
  const lost = rows([{ errorDetail: { message: "no active sessions" }, error: "no active sessions" }]);
  const built = rows([{ id: "moby.image.id", aux: { ID: id } }]);
  let asked = 0;
  const { engine } = await engineWith({
    "/build": (incoming, response) => (asked++ === 0 ? lost : built)(incoming, response),
    [`/images/${id}/tag`]: json({}, 201),
  });
  expect((await build(engine, request, () => {})).id).toBe(id);
  expect(asked).toBe(2);

  const { engine: always } = await engineWith({ "/build": lost });
  expect((await failureOf(build(always, request, () => {}))).code).toBe("build_failed");
});

test("a refusal before the build is explained", async () => {
  const refusal = json({ message: "dockerfile parse error line 2: unknown instruction: RUNN" }, 400);
  const { engine } = await engineWith({ "/build": refusal }, { DOCKER_BUILDKIT: "0" });
  expect((await failureOf(build(engine, request, () => {}))).message).toBe(
    "The Dockerfile has an error in line 2.",
  );
});

test("the classic builder gets the credentials of the base image's registry, and of no other", async () => {
  const asked: string[] = [];
  const built = rows([{ aux: { ID: id } }, { stream: "Successfully built aaaaaaaaaaaa\n" }]);
  const { engine, fake } = await engineWith(
    { "/build": built, [`/images/${id}/tag`]: json({}, 201) },
    { DOCKER_BUILDKIT: "0" },
  );
  const credentials = async (host: string) => {
    asked.push(host);
    return { kind: "basic", username: "me", password: "ÿ?>~" } as const;
  };
  await build(engine, { ...request, credentials }, () => {});
  expect(asked).toEqual(["ghcr.io"]);
  const header = String(
    fake.requests.find(({ url }) => url.includes("/build?"))?.headers["x-registry-config"],
  );
  expect(header).toMatch(/^[\w-]+=*$/);
  expect(header.length % 4).toBe(0);
  expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
    "ghcr.io": { username: "me", password: "ÿ?>~", serveraddress: "ghcr.io" },
  });
});

test("mounts need BuildKit or Podman, which gets secrets by name and never in the query", async () => {
  const dockerfile = "FROM x\nRUN --mount=type=secret,id=a true\n";
  const secrets = [{ id: "a", read: async () => Buffer.from("hush-hush") }];
  const { engine: old } = await engineWith({}, { DOCKER_BUILDKIT: "0" });
  const error = await failureOf(build(old, { ...request, dockerfile, secrets }, () => {}));
  expect(error.code).toBe("engine_unsupported");
  expect(error.hint).toContain("DOCKER_BUILDKIT");

  const built = rows([{ stream: "Successfully built aaaaaaaaaaaa\n" }]);
  const { engine, fake } = await engineWith({
    "/version": podman,
    "/build": built,
    "/images/aaaaaaaaaaaa/json": json({ Id: "a".repeat(64) }),
    [`/images/${id}/tag`]: json({}, 201),
  });
  expect((await build(engine, { ...request, dockerfile, secrets }, () => {})).id).toBe(id);
  const url = fake.requests.find((one) => one.url.includes("/build?"))?.url ?? "";
  expect(new URL(`http://x${url}`).searchParams.get("secrets")).toMatch(
    /^\["id=a,src=\.modelship-secret-[0-9a-f]{16}"\]$/,
  );
  expect(url).not.toContain("hush");
});

test("an abort is quick, whatever the engine does", async () => {
  const { engine } = await engineWith({ "/build": (request) => request.resume() });
  for (const wait of [0, 30]) {
    const control = new AbortController();
    setTimeout(() => control.abort(), wait);
    const began = performance.now();
    expect((await failureOf(build(engine, request, () => {}, control.signal))).code).toBe("interrupted");
    expect(performance.now() - began).toBeLessThan(wait + 500);
  }
});
