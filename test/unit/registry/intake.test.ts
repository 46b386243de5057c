import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { Intake, type IntakeOptions, isLeftOverReference } from "../../../src/registry/intake/intake.js";
import { Spool } from "../../../src/registry/intake/spool.js";
import { digestOf } from "../../../src/registry/manifest.js";
import { folderWith } from "../../setup/folder.js";

const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface Said {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

interface Sent {
  headers?: Record<string, string>;
  body?: Buffer | string;
  /** In place of the intake's own. */
  authorization?: string | null;
}

async function intakeWith(options: Partial<IntakeOptions> = {}, files: Record<string, Buffer> = {}) {
  const folder = await folderWith(files);
  const failures: unknown[] = [];
  const blobs: string[] = [];
  const intake = await Intake.open({
    spool: await Spool.open(folder),
    has: async () => undefined,
    onBlob: (digest) => blobs.push(digest),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  onTestFinished(() => intake.close());
  const [host = "", ...rest] = intake.reference.split("/");
  const port = Number(host.split(":")[1]);
  const [repository = "", tag = ""] = rest.join("/").split(":");
  const { credential } = intake;
  if (credential.kind !== "basic") throw new Error("no basic credential");
  const authorization = `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const ask = (method: string, path: string, sent: Sent = {}) =>
    new Promise<Said>((resolve, reject) => {
      const given = sent.authorization === undefined ? authorization : sent.authorization;
      const headers = { ...(given !== null && { authorization: given }), ...sent.headers };
      const asked = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
      asked.on("error", reject);
      asked.end(sent.body);
    });
  const base = `/v2/${repository}`;
  const begin = async () => String((await ask("POST", `${base}/blobs/uploads/`)).headers.location);
  const put = async (bytes: Buffer) =>
    ask("PUT", `${await begin()}?digest=${digestOf(bytes)}`, { body: bytes });
  return { intake, folder, port, base, tag, ask, begin, put, failures, blobs, authorization };
}

it("lets nobody in without its credential", async () => {
  const { ask, base, intake, authorization } = await intakeWith();
  for (const given of [
    null,
    "Basic bW9kZWxzaGlwOng=",
    `${authorization}x`,
    authorization.slice(0, -1),
    "Bearer x",
  ]) {
    const said = await ask("GET", "/v2/", { authorization: given });
    expect(said.status).toBe(401);
    expect(said.headers["www-authenticate"]).toMatch(/^Basic realm=/);
    expect((await ask("POST", `${base}/blobs/uploads/`, { authorization: given })).status).toBe(401);
  }
  expect(intake.reached).toBe(false);
  expect((await ask("GET", "/v2/")).status).toBe(200);
  expect(intake.reached).toBe(true);
});

it("takes a blob in pieces, in one, and both, and tells of each once", async () => {
  const { ask, begin, base, folder, blobs } = await intakeWith();
  const bytes = randomBytes(200_000);
  const digest = digestOf(bytes);
  expect((await ask("HEAD", `${base}/blobs/${digest}`)).status).toBe(404);

  const streamed = await ask("PATCH", await begin(), { body: bytes.subarray(0, 150_000) });
  expect(streamed).toMatchObject({ status: 202, headers: { range: "0-149999" } });
  const whole = await ask("PUT", `${streamed.headers.location}?digest=${digest}`, {
    body: bytes.subarray(150_000),
  });
  expect(whole).toMatchObject({ status: 201, headers: { "docker-content-digest": digest } });
  const again = await ask("PUT", `${await begin()}?digest=${digest}`, { body: bytes });
  expect(again.status).toBe(201);

  expect(await ask("HEAD", `${base}/blobs/${digest}`)).toMatchObject({
    status: 200,
    headers: { "content-length": "200000", "docker-content-digest": digest },
  });
  expect(blobs).toEqual([digest]);
  expect(await readdir(folder)).toEqual([digest.slice(7)]);
});

it("keeps nothing of a blob whose digest is another one, or that is out of order", async () => {
  const { ask, begin, folder, blobs } = await intakeWith();
  const wrong = digestOf(Buffer.from("other"));
  expect((await ask("PUT", `${await begin()}?digest=${wrong}`, { body: "bytes" })).status).toBe(400);
  expect(await readdir(folder)).toEqual([]);
  expect(blobs).toEqual([]);

  const upload = await begin();
  expect((await ask("PATCH", upload, { body: "12345", headers: { "content-range": "0-4" } })).status).toBe(
    202,
  );
  expect((await ask("PATCH", upload, { body: "x", headers: { "content-range": "4-4" } })).status).toBe(416);
  expect((await ask("PATCH", upload, { body: "6", headers: { "content-range": "5-5" } })).status).toBe(202);
  expect((await ask("PUT", `${upload}?digest=${digestOf(Buffer.from("123456"))}`)).status).toBe(201);
  expect((await ask("DELETE", await begin())).status).toBe(204);
  expect(await readdir(folder)).toEqual([digestOf(Buffer.from("123456")).slice(7)]);
});

it("says what the target has before it looks into the spool, and asks by digest and kind", async () => {
  const left = randomBytes(5000);
  const elsewhere = digestOf(Buffer.from("elsewhere"));
  const asked: unknown[] = [];
  const has: IntakeOptions["has"] = async (digest, mediaType) => {
    asked.push([digest, mediaType]);
    return digest === elsewhere ? 1234 : undefined;
  };
  const { ask, base, blobs } = await intakeWith({ has }, { [digestOf(left).slice(7)]: left });
  const headers = { accept: `${manifestType}, */*` };
  const known = await ask("HEAD", `${base}/blobs/${elsewhere}`, { headers });
  expect(known).toMatchObject({ status: 200, headers: { "content-length": "1234" } });
  expect(asked).toEqual([[elsewhere, manifestType]]);
  expect(blobs).toEqual([]);
  const spooled = await ask("HEAD", `${base}/blobs/${digestOf(left)}`);
  expect(spooled).toMatchObject({ status: 200, headers: { "content-length": "5000" } });
  expect(blobs).toEqual([digestOf(left)]);
});

it("does not trust what an earlier run left under a wrong name, and clears what a killed one did not finish", async () => {
  const digest = digestOf(Buffer.from("right"));
  const ended = "4194305"; // beyond the largest process id
  const { ask, base, folder } = await intakeWith(
    {},
    { [digest.slice(7)]: Buffer.from("wrong"), [`part-${ended}-0123456789abcdef`]: Buffer.from("half") },
  );
  expect(await readdir(folder)).toEqual([digest.slice(7)]);
  expect((await ask("HEAD", `${base}/blobs/${digest}`)).status).toBe(404);
  expect(await readdir(folder)).toEqual([]);
});

it("leaves what another running process has not finished", async () => {
  const part = `part-${process.ppid}-0123456789abcdef`;
  const { folder } = await intakeWith({}, { [part]: Buffer.from("half") });
  expect(await readdir(folder)).toEqual([part]);
});

it("keeps manifests exactly as they came", async () => {
  const { ask, base, tag, intake } = await intakeWith();
  const body = Buffer.from('{ "schemaVersion": 2,\n "x": [] }');
  const headers = { "content-type": manifestType };
  expect((await ask("HEAD", `${base}/manifests/${tag}`)).status).toBe(404);
  expect(await ask("PUT", `${base}/manifests/${tag}`, { headers, body })).toMatchObject({
    status: 201,
    headers: { "docker-content-digest": digestOf(body) },
  });
  expect(intake.manifest()).toEqual({
    digest: digestOf(body),
    mediaType: manifestType,
    size: body.length,
    body,
  });
  const got = await ask("GET", `${base}/manifests/${digestOf(body)}`);
  expect(got).toMatchObject({
    status: 200,
    body: body.toString(),
    headers: { "content-type": manifestType },
  });
  const other = digestOf(Buffer.from("other"));
  expect((await ask("PUT", `${base}/manifests/${other}`, { headers, body })).status).toBe(400);
});

it("bounds what it takes", async () => {
  const { ask, base, begin, tag, failures } = await intakeWith();
  const headers = { "content-type": manifestType };
  const large = Buffer.alloc(4 * 1024 * 1024 + 1, 0x20);
  const refused = await ask("PUT", `${base}/manifests/${tag}`, { headers, body: large });
  expect(refused.status).toBe(413);
  const kind = await ask("PUT", `${base}/manifests/${tag}`, {
    headers: { "content-type": "text/html" },
    body: "{}",
  });
  expect(kind.status).toBe(415);
  for (let count = 0; count < 64; count++) await begin();
  expect((await ask("POST", `${base}/blobs/uploads/`)).status).toBe(429);
  for (let count = 0; count < 64; count++)
    expect((await ask("PUT", `${base}/manifests/t${count}`, { headers, body: `[${count}]` })).status).toBe(
      201,
    );
  expect((await ask("PUT", `${base}/manifests/t64`, { headers, body: "[64]" })).status).toBe(429);
  expect(failures).toEqual([]);
});

it.each([
  ["PUT", "/blobs/uploads/../../../../etc/passwd?digest=sha256:0"],
  ["HEAD", "/blobs/sha256:..%2f..%2f..%2fetc%2fpasswd"],
  ["HEAD", `/blobs/sha256:${"A".repeat(64)}`],
  ["HEAD", `/blobs/sha512:${"0".repeat(128)}`],
  ["HEAD", "/blobs/"],
  ["GET", `/blobs/sha256:${"0".repeat(64)}`],
  ["PATCH", "/blobs/uploads/0123"],
  ["DELETE", `/blobs/sha256:${"0".repeat(64)}`],
  ["GET", "/tags/list"],
  ["GET", "/../../v2/_catalog"],
  ["GET", `/manifests/${"x".repeat(300)}`],
])("answers %s %s with 404", async (method, path) => {
  const { ask, base, failures } = await intakeWith();
  expect((await ask(method, base + path)).status).toBe(404);
  expect((await ask(method, `/v2/someone/else${path}`)).status).toBe(404);
  expect(failures).toEqual([]);
});

it("refuses a commit whose digest could be no file name, and goes on", async () => {
  const { ask, begin, folder } = await intakeWith();
  const upload = await begin();
  for (const digest of ["", "sha256:../x", `sha256:${"0".repeat(63)}`, `sha512:${"0".repeat(128)}`]) {
    const said = await ask("PUT", `${upload}?digest=${encodeURIComponent(digest)}`, { body: "x" });
    expect(said.status).toBe(400);
  }
  expect((await ask("PUT", `${upload}?digest=${digestOf(Buffer.from("x"))}`, { body: "x" })).status).toBe(
    201,
  );
  expect(await readdir(folder)).toEqual([digestOf(Buffer.from("x")).slice(7)]);
});

it("drops an upload whose sender hangs up, and leaves nothing when it closes", async () => {
  const { begin, port, folder, intake, authorization, failures, ask } = await intakeWith();
  const upload = await begin();
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(
    `PATCH ${upload} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: 100\r\n\r\nhalf`,
  );
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.destroySoon();
  await closed;
  await expect.poll(async () => (await readdir(folder)).length).toBe(0);
  expect((await ask("PATCH", upload, { body: "x" })).status).toBe(404);
  await begin();
  expect((await readdir(folder)).length).toBe(1);
  await intake.close();
  expect(await readdir(folder)).toEqual([]);
  expect(failures).toEqual([]);
  await expect(ask("GET", "/v2/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

it("says when it is our side that fails, instead of letting the engine try again", async () => {
  const broken = new Error("the target cannot be reached");
  const has = async () => {
    throw broken;
  };
  const { ask, base, failures } = await intakeWith({ has });
  expect((await ask("HEAD", `${base}/blobs/${digestOf(Buffer.alloc(0))}`)).status).toBe(500);
  expect(failures).toEqual([broken]);
});

it("answers a hello in TLS at once, so that an engine goes on in plain HTTP", async () => {
  const { port } = await intakeWith();
  const began = performance.now();
  const error = await new Promise<Error>((resolve) => {
    connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }).once("error", resolve);
  });
  expect(error.message).toMatch(/wrong version number|packet length|record/i);
  expect(performance.now() - began).toBeLessThan(1000);
});

it("has the same port for the same spool while that is free, and another one beside it", async () => {
  const first = await intakeWith();
  const spool = await Spool.open(first.folder);
  const options = { spool, has: async () => undefined, onFailure: () => {} };
  const beside = await Intake.open(options);
  expect(beside.reference).not.toContain(`:${first.port}/`);
  await beside.close();
  await first.intake.close();
  const next = await Intake.open(options);
  onTestFinished(() => next.close());
  expect(next.reference).toContain(`:${first.port}/`);
});

it("knows names that ended processes left on images", () => {
  const name = (pid: number | string) => `127.0.0.1:61234/modelship/code:${pid}-0123456789abcdef`;
  expect(isLeftOverReference(name(4194305))).toBe(true);
  expect(isLeftOverReference(name(process.pid))).toBe(false);
  expect(isLeftOverReference(name("x"))).toBe(false);
  expect(isLeftOverReference("127.0.0.1:5000/you/code:1-0123456789abcdef")).toBe(false);
});

it("finds documents in the spool, and only small ones that are JSON", async () => {
  const folder = await folderWith({});
  const spool = await Spool.open(folder);
  const keep = async (bytes: Buffer) => {
    await writeFile(join(folder, digestOf(bytes).slice(7)), bytes);
    return digestOf(bytes);
  };
  expect(await spool.document(await keep(Buffer.from('{"a":1}')))).toEqual({ a: 1 });
  expect(await spool.document(await keep(Buffer.from("[1]")))).toBeUndefined();
  expect(await spool.document(await keep(Buffer.from("{")))).toBeUndefined();
  const large = Buffer.from(JSON.stringify({ a: "x".repeat(4 * 1024 * 1024) }));
  expect(await spool.document(await keep(large))).toBeUndefined();
});
