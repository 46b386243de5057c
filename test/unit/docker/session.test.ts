import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fields, MessageWriter } from "../../../src/docker/buildkit/protobuf.js";
import { openSession, type Session, type SessionContent } from "../../../src/docker/buildkit/session.js";
import { connect } from "../../../src/docker/client.js";
import type { ContextFile } from "../../../src/docker/context-file.js";
import type { UserError } from "../../../src/errors.js";
import { type FakeEngine, fakeEngine } from "./fake-engine.js";

let engine: FakeEngine;
let folder: string;
let session: Session | undefined;
let failures: UserError[];

beforeEach(async () => {
  engine = await fakeEngine();
  folder = await mkdtemp(join(tmpdir(), "modelship-session-"));
  failures = [];
});
afterEach(async () => {
  session?.close();
  await engine.close();
  await rm(folder, { recursive: true });
});

async function start(content: Partial<SessionContent>): Promise<ClientHttp2Session> {
  const { docker } = await connect({ host: engine.host, source: "the test" }, { env: {} });
  const none = {
    dockerfile: "FROM x\n",
    files: [],
    secrets: [],
    sharedKey: "p",
    credentials: async () => undefined,
  };
  session = await openSession(docker, { ...none, ...content }, (error) => failures.push(error));
  return engine.session();
}

interface Answer {
  messages: Buffer[];
  status: string;
  text: string;
}

/** One gRPC call as the engine makes it; `onMessage` may write more. */
function call(
  client: ClientHttp2Session,
  path: string,
  first: Buffer | undefined,
  options: {
    headers?: Record<string, string | string[]>;
    onMessage?: (message: Buffer, send: Send) => void;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...options.headers,
    });
    const answer: Answer = { messages: [], status: "", text: "" };
    const send: Send = (message, end = false) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.write(Buffer.concat([head, message]));
      if (end) stream.end();
    };
    const status = (headers: Record<string, unknown>) => {
      if (headers["grpc-status"] !== undefined) answer.status = String(headers["grpc-status"]);
      if (headers["grpc-message"] !== undefined)
        answer.text = decodeURIComponent(String(headers["grpc-message"]));
    };
    let buffer = Buffer.alloc(0);
    stream.on("response", status);
    stream.on("trailers", (headers: Record<string, unknown>) => {
      status(headers);
      stream.end();
    });
    stream.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= 5 && buffer.length >= 5 + buffer.readUInt32BE(1)) {
        const end = 5 + buffer.readUInt32BE(1);
        const message = buffer.subarray(5, end);
        answer.messages.push(message);
        options.onMessage?.(message, send);
        buffer = buffer.subarray(end);
      }
    });
    stream.on("error", reject);
    stream.on("end", () => resolve(answer));
    if (first) send(first, options.onMessage === undefined);
  });
}
type Send = (message: Buffer, end?: boolean) => void;

const value = (message: Buffer | undefined, number: number) =>
  [...fields(message ?? Buffer.alloc(0))].find((field) => field.number === number);
const text = (message: Buffer | undefined, number: number) => value(message, number)?.bytes.toString();

test("the session is announced with what it offers", async () => {
  await start({});
  const { url, headers } = engine.requests.at(-1) ?? {};
  expect(url).toBe("/v1.43/session");
  expect(headers).toMatchObject({ upgrade: "h2c", "x-docker-expose-session-uuid": session?.id });
  expect(headers?.["x-docker-expose-session-grpc-method"]).toContain("/grpc.health.v1.Health/Check");
});

test("health, secrets and credentials are answered; the unknown is left unimplemented", async () => {
  const asked: string[] = [];
  const client = await start({
    secrets: [
      { id: "token", read: async () => Buffer.from("s€cret") },
      { id: "bad", read: async () => Promise.reject(new Error("vault is sealed")) },
    ],
    credentials: async (host) => {
      asked.push(host);
      if (host === "docker.io") return { kind: "identity", token: "refresh" };
      return host === "one.example" ? { kind: "basic", username: "me", password: "pw" } : undefined;
    },
  });
  const health = await call(client, "/grpc.health.v1.Health/Check", Buffer.alloc(0));
  expect([value(health.messages[0], 1)?.integer, health.status]).toEqual([1n, "0"]);

  const secret = (id: string) =>
    call(client, "/moby.buildkit.secrets.v1.Secrets/GetSecret", new MessageWriter().bytes(1, id).finish());
  expect(text((await secret("token")).messages[0], 1)).toBe("s€cret");
  expect((await secret("none")).status).toBe("5");
  expect(await secret("bad")).toMatchObject({ status: "2", text: "vault is sealed" });
  expect(failures[0]?.why).toContain("vault is sealed");

  const credentials = async (host: string) => {
    const request = new MessageWriter().bytes(1, host).finish();
    const { messages } = await call(client, "/moby.filesync.v1.Auth/Credentials", request);
    return [text(messages[0], 1), text(messages[0], 2)];
  };
  expect(await credentials("one.example")).toEqual(["me", "pw"]);
  expect(await credentials("other.example")).toEqual([undefined, undefined]);
  expect(await credentials("registry-1.docker.io")).toEqual([undefined, "refresh"]);
  expect(asked).toEqual(["one.example", "other.example", "docker.io"]);
  expect((await call(client, "/moby.filesync.v1.Auth/FetchToken", Buffer.alloc(0))).status).toBe("12");
});

/** Plays the engine's part of DiffCopy: asks for every file, or the ones in `want`, and finishes. */
async function receive(
  client: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  want: (path: string) => boolean = () => true,
) {
  const stats: { path: string; mode: number; size: number; time: bigint }[] = [];
  const contents = new Map<string, Buffer[]>();
  const errors: string[] = [];
  const waiting = new Set<number>();
  let announced = false;
  const finishWhenDone = (send: Send) => {
    if (announced && waiting.size === 0) send(new MessageWriter().integer(1, 3).finish());
  };
  const answer = await call(client, "/moby.filesync.v1.FileSync/DiffCopy", undefined, {
    headers,
    onMessage(message, send) {
      const type = Number(value(message, 1)?.integer ?? 0n);
      const id = Number(value(message, 3)?.integer ?? 0n);
      if (type === 4) errors.push(text(message, 4) ?? "");
      if (type === 2) {
        const path = stats[id]?.path ?? "";
        const data = value(message, 4)?.bytes;
        if (data) contents.set(path, [...(contents.get(path) ?? []), data]);
        else {
          waiting.delete(id);
          finishWhenDone(send);
        }
      }
      if (type !== 0) return;
      const stat = value(message, 2)?.bytes;
      if (!stat) {
        announced = true;
        finishWhenDone(send);
        return;
      }
      const number = (field: number) => value(stat, field)?.integer ?? 0n;
      const path = text(stat, 1) ?? "";
      stats.push({ path, mode: Number(number(2)), size: Number(number(5)), time: number(6) });
      if (Number(number(2)) >= 0x8000_0000 || !want(path)) return;
      const index = stats.length - 1;
      waiting.add(index);
      send(new MessageWriter().integer(1, 1).integer(3, index).finish());
    },
  });
  const read = (path: string) => Buffer.concat(contents.get(path) ?? []);
  return { answer, stats, read, errors, paths: stats.map((stat) => stat.path) };
}

const bytes = (path: string, content: string, mode: 0o644 | 0o755 = 0o644): ContextFile => ({
  path,
  mode,
  size: Buffer.byteLength(content),
  source: { bytes: Buffer.from(content) },
});

describe("the build context", () => {
  const files = [
    bytes("z.txt", "z"),
    bytes("a-b.txt", "1"),
    bytes("a/run.sh", "2", 0o755),
    bytes("a/deep/er/x.py", "3"),
    bytes("a.txt", "4"),
    bytes("Ünï, code.txt", "5"),
    bytes("empty", ""),
  ];

  test("is announced in order, parents first, with fixed modes and times", async () => {
    const client = await start({ files });
    const { answer, stats, read, paths } = await receive(client, { "dir-name": "context" });
    expect(answer.status).toBe("0");
    expect(paths).toEqual([
      ...["a", "a/deep", "a/deep/er", "a/deep/er/x.py", "a/run.sh", "a-b.txt", "a.txt", "empty", "z.txt"],
      "Ünï, code.txt",
    ]);
    expect(stats[0]?.mode).toBe(0x8000_0000 + 0o755);
    expect(stats[4]?.mode).toBe(0o755);
    for (const { time } of stats) expect(time / 1_000_000_000n).toBe(1_577_836_800n);
    expect(read("a/deep/er/x.py").toString()).toBe("3");
    expect(read("Ünï, code.txt").toString()).toBe("5");
    expect(session?.bytesSent).toBe(6);
  });

  test("only what the Dockerfile names is walked", async () => {
    const client = await start({ files });
    const followed = (value: string[], more = {}) =>
      receive(client, { "dir-name": "context", followpaths: value, ...more }).then(({ paths }) => paths);
    expect(await followed(["/a/deep/"])).toEqual(["a", "a/deep", "a/deep/er", "a/deep/er/x.py"]);
    expect(await followed(["a*.txt", "empty"])).toEqual(["a-b.txt", "a.txt", "empty"]);
    expect(await followed(["./a/r?n.[rs]h"])).toEqual(["a", "a/run.sh"]);
    expect(await followed(["nothere"])).toEqual([]);
    expect(await followed(["."])).toHaveLength(10);
    const encoded = encodeURIComponent("Ünï, code.txt").replaceAll("%20", "+");
    expect(await followed([encoded], { "followpaths-encoded": "1" })).toEqual(["Ünï, code.txt"]);
    expect(await followed(["a"], { "exclude-patterns": ["a/deep", "*.sh"] })).toEqual(["a", "a/run.sh"]);
  });

  test("the Dockerfile has a folder of its own, and others do not exist", async () => {
    const client = await start({ files, dockerfile: "FROM elsewhere\n" });
    const { paths, read } = await receive(client, {
      "dir-name": "dockerfile",
      followpaths: ["Dockerfile", "x"],
    });
    expect(paths).toEqual(["Dockerfile"]);
    expect(read("Dockerfile").toString()).toBe("FROM elsewhere\n");
    const { answer } = await receive(client, { "dir-name": "../secret" });
    expect(answer).toMatchObject({ status: "5" });
  });

  test("a time tells of an edit that keeps the size", async () => {
    const path = join(folder, "f");
    const file: ContextFile = { path: "f", mode: 0o644, size: 3, source: { file: path } };
    const client = await start({ files: [file, bytes("g", "one")] });
    await writeFile(path, "one");
    const time = async () =>
      (await receive(client, { "dir-name": "context" })).stats.map((stat) => stat.time);
    const [first, fixed] = await time();
    expect(await time()).toEqual([first, fixed]);
    await writeFile(path, "two");
    await utimes(path, 1, 1);
    const [second, still] = await time();
    expect(second).not.toBe(first);
    expect(still).toBe(fixed);
  });

  test("many and large files come through whole", async () => {
    const large = randomBytes(5_000_000);
    await writeFile(join(folder, "large"), large);
    const many = Array.from({ length: 300 }, (_, index) => bytes(`many/${index}`, `content ${index}`));
    const file: ContextFile = {
      path: "large",
      mode: 0o644,
      size: large.length,
      source: { file: join(folder, "large") },
    };
    const client = await start({ files: [file, ...many] });
    const { read, answer } = await receive(client, { "dir-name": "context" });
    expect(answer.status).toBe("0");
    expect(read("large").equals(large)).toBe(true);
    for (let index = 0; index < 300; index++)
      expect(read(`many/${index}`).toString()).toBe(`content ${index}`);
  });

  test("a file that is gone, or has another size, ends it with its name", async () => {
    const path = join(folder, "model.bin");
    const file: ContextFile = { path: "model.bin", mode: 0o644, size: 10, source: { file: path } };
    const client = await start({ files: [file] });
    const gone = await receive(client, { "dir-name": "context" });
    expect(gone.answer.status).toBe("2");
    expect(gone.errors[0]).toContain("model.bin");
    await writeFile(path, "0123456789");
    await truncate(path, 4);
    await receive(client, { "dir-name": "context" });
    expect(failures.map(({ code, message }) => [code, message])).toEqual([
      ["file_failed", "The file model.bin vanished while the image was being built."],
      ["file_failed", "The file model.bin changed while the image was being built."],
    ]);
    // Nothing asks for it: nothing is wrong.
    const other = await receive(client, { "dir-name": "context", followpaths: "other" });
    expect(other.answer.status).toBe("0");
  });

  test("requests that make no sense are refused", async () => {
    const client = await start({ files });
    const answer = await call(client, "/moby.filesync.v1.FileSync/DiffCopy", undefined, {
      headers: { "dir-name": "context" },
      onMessage: (message, send) => {
        if (message.length === 0) send(new MessageWriter().integer(1, 1).integer(3, 99).finish());
      },
    });
    expect(answer.status).toBe("2");
    expect(answer.text).toContain("unknown file 99");
  });

  test("a call that is cut off is no failure of ours", async () => {
    const client = await start({ files });
    const stream = client.request({
      ":method": "POST",
      ":path": "/moby.filesync.v1.FileSync/DiffCopy",
      "dir-name": "context",
    });
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("response", resolve));
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(failures).toEqual([]);
    expect((await call(client, "/grpc.health.v1.Health/Check", Buffer.alloc(0))).status).toBe("0");
  });
});
