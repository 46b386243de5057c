import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { packagePath } from "../../src/package.js";
import { type NodeService, startNodeService } from "../setup/node-service.js";

const zod = pathToFileURL(packagePath("node_modules/zod/index.js")).href;

/** Sums, with faults to order. */
const sums = `
import { setTimeout as sleep } from "node:timers/promises";

export const Input = {
  type: "object",
  required: ["numbers"],
  properties: { numbers: { type: "array", items: { type: "number" } }, fault: { type: "string" }, wait: { type: "number" } },
};
export const Output = { type: "object", required: ["total", "batch"], properties: { total: { type: "number" }, batch: { type: "integer" } } };

export class Model {
  load() { console.log("loaded by the user's code"); }
  async predict(rows) {
    for (const { fault, wait } of rows) {
      if (wait) await sleep(wait * 1000);
      if (fault === "throw") throw new TypeError("secret of the model");
      if (fault === "exit") process.exit(9);
      if (fault === "count") return [];
      if (fault === "shape") return rows.map(() => ({ total: "many", batch: 1 }));
    }
    return rows.map(({ numbers }) => ({ total: numbers.reduce((a, b) => a + b, 0), batch: rows.length }));
  }
}
`;

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/predict`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function codeOf(answer: Promise<Response>): Promise<[number, string]> {
  const response = await answer;
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
}

async function ready(
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
) {
  const service = await startNodeService(files, settings);
  await service.said("ready");
  return { service, url: await service.url() };
}

describe("a model", () => {
  it("that throws, or returns something else than it promised, fails on that request alone", async () => {
    const { service, url } = await ready({ "model.js": sums });
    for (const fault of ["throw", "count", "shape"])
      expect(await codeOf(post(url, { numbers: [1], fault }))).toEqual([500, "model_error"]);
    const reasons = service.log.filter(({ event }) => event === "model_error").map(({ reason }) => reason);
    expect(reasons).toEqual([
      "TypeError: secret of the model",
      "predict returned 0 outputs for 1 rows",
      "predict returned something else than its schema says: rows[0].total: must be a number",
    ]);
    expect(service.log.find(({ traceback }) => traceback)?.traceback).toMatch(/model\.js:16/);
    expect(service.stderr()).toContain("loaded by the user's code");
    expect(await (await post(url, { numbers: [1, 2] })).json()).toEqual({ total: 3, batch: 1 });
  });

  it("gets what waits together, and one that fails does not take the others with it", async () => {
    const { url } = await ready({ "model.js": sums }, { MODELSHIP_BATCH_MAX_DELAY_MS: "300" });
    const all = await Promise.all([1, 2, 3].map(async (one) => (await post(url, { numbers: [one] })).json()));
    expect(all).toEqual([1, 2, 3].map((total) => ({ total, batch: 3 })));
    const [good, bad] = await Promise.all([
      post(url, { numbers: [1] }),
      post(url, { numbers: [1], fault: "throw" }),
    ]);
    expect([good.status, bad.status]).toEqual([200, 500]);
  });

  it("that ends its thread is started again, and what it had in work fails", async () => {
    const { service, url } = await ready({ "model.js": sums });
    expect(await codeOf(post(url, { numbers: [1], fault: "exit" }))).toEqual([500, "model_error"]);
    expect(await service.said("worker_died")).toMatchObject({ exit_code: 9 });
    await service.said("worker_started");
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await post(url, { numbers: [1] })).status).toBe(200);
  });

  it("that dies again and again ends the service with 4", async () => {
    const { service, url } = await ready({ "model.js": sums }, { MODELSHIP_MAX_WORKER_DEATHS: "2" });
    await post(url, { numbers: [1], fault: "exit" });
    await service.said("worker_started");
    await post(url, { numbers: [1], fault: "exit" }).catch(() => {});
    expect(await service.exitCode).toBe(4);
  });

  it("that takes too long is 504, and beyond the queue is 429", async () => {
    const settings = { MODELSHIP_TIMEOUT_S: "0.3", MODELSHIP_QUEUE_MAX_ROWS: "1" };
    const { url } = await ready({ "model.js": sums }, settings);
    const slow = codeOf(post(url, { numbers: [1], wait: 1 }));
    await expect
      .poll(async () => (await fetch(`${url}/metrics`)).text())
      .toContain("modelship_queue_rows 1\n");
    const busy = await post(url, { numbers: [1] });
    expect([busy.status, busy.headers.get("x-ratelimit-limit-requests")]).toEqual([429, "1"]);
    expect(await slow).toEqual([504, "timeout"]);
  });

  it("has the checks, the defaults and the conversions of its zod schema", async () => {
    const model = `
import { z } from "${zod}";
export const Input = z.object({
  word: z.string().trim().default("none"),
  even: z.number().refine((value) => value % 2 === 0, "must be even"),
});
export const Output = z.object({ said: z.string() });
export class Model {
  load() {}
  predict(rows) { return rows.map(({ word, even }) => ({ said: word + even, more: 1 })); }
}`;
    const { url } = await ready({ "model.js": model });
    expect(await (await post(url, { rows: [{ even: 2 }, { word: " a ", even: 4 }] })).json()).toEqual({
      rows: [{ said: "none2" }, { said: "a4" }],
    });
    expect(await (await post(url, { rows: [{ even: 2 }, { even: 3 }] })).json()).toMatchObject({
      error: { code: "invalid_input", details: [{ path: "rows[1].even", rule: "must be even" }] },
    });
    expect(await codeOf(post(url, { even: "2" }))).toEqual([422, "invalid_input"]);
  });
});

describe("a project that cannot be served ends the service", () => {
  const broken = sums.replace("load() {", "load() { throw new Error('no weights');");
  it.each([
    ["a setting", { "model.js": sums }, { MODELSHIP_PORT: "many" }, 2, "MODELSHIP_PORT must be"],
    [
      "another address without keys",
      { "model.js": sums },
      { MODELSHIP_HOST: "0.0.0.0" },
      2,
      "no API key is configured",
    ],
    [
      "keys",
      { "model.js": sums },
      { MODELSHIP_API_KEYS: "short" },
      2,
      "MODELSHIP_API_KEYS: entry 1 is no key",
    ],
    ["no file", {}, {}, 3, "model.js is not there"],
    ["a syntax error", { "model.js": "class {" }, {}, 3, "SyntaxError"],
    ["no class", { "model.js": "export const Input = {}" }, {}, 3, "no class named Model"],
    [
      "no schema",
      { "model.js": "export class Model { load() {} predict() {} }" },
      {},
      3,
      "there is no Input",
    ],
    ["a load that fails", { "model.js": broken }, {}, 3, "no weights"],
    [
      "an example that fails",
      { "model.js": sums, "examples/request.json": '{"numbers": [1], "fault": "throw"}' },
      {},
      3,
      "the model fails on examples/request.json",
    ],
    ["no graph", {}, { MODELSHIP_ENTRY: "onnx" }, 3, "no .onnx file"],
  ])("%s", async (_, files, settings, code, words) => {
    const service = await startNodeService({ "package.json": '{"type":"module"}', ...files }, settings);
    expect(await service.exitCode).toBe(code);
    const reasons = service.log.map(({ reason }) => reason).join("\n");
    expect(reasons + service.stderr()).toContain(words);
    expect(JSON.stringify(service.log)).not.toContain("short");
  });
});

it("a stop answers what was accepted, and ends with 0", async () => {
  const { service, url } = await ready({ "model.js": sums });
  const slow = post(url, { numbers: [1, 2], wait: 0.8 });
  await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toContain("modelship_queue_rows 1\n");
  service.kill("SIGTERM");
  await service.said("draining");
  expect(await (await slow).json()).toMatchObject({ total: 3 });
  expect(await service.exitCode).toBe(0);
  expect(service.log.at(-1)).toMatchObject({ event: "stopped", exit_code: 0 });
});

it("a stop that takes too long answers 503", async () => {
  const { service, url } = await ready({ "model.js": sums }, { MODELSHIP_DRAIN_S: "0.7" });
  const slow = codeOf(post(url, { numbers: [1], wait: 20 }));
  await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toContain("modelship_queue_rows 1\n");
  service.kill("SIGTERM");
  expect(await slow).toEqual([503, "not_ready"]);
  expect(await service.exitCode).toBe(0);
});

it("keys that change in their file are read again, and broken ones change nothing", async () => {
  const hash = createHash("sha256").update("a-key-of-somebody").digest("hex");
  const file = "keys.json";
  const { service, url } = await ready(
    { "model.js": sums, [file]: `one=sha256:${hash}` },
    { MODELSHIP_KEYS_FILE: file, MODELSHIP_HOST: "127.0.0.1" },
  );
  const ask = async () => (await post(url, { numbers: [1] }, { "x-api-key": "a-key-of-somebody" })).status;
  expect(await ask()).toBe(200);
  await writeFile(join(service.root, file), "broken");
  service.kill("SIGHUP");
  await service.said("keys_invalid");
  expect(await ask()).toBe(200);
  await writeFile(join(service.root, file), "two=another-key-of-16");
  await expect.poll(ask).toBe(401);
});

describe("on the wire", () => {
  /** All that comes back for these bytes. */
  function exchanged(url: string, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(text));
      let answer = "";
      socket.setEncoding("latin1").on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("close", () => resolve(answer)).on("error", reject);
    });
  }

  async function small(
    settings: Readonly<Record<string, string>> = {},
  ): Promise<{ service: NodeService; url: string }> {
    return ready({ "model.js": sums }, settings);
  }

  it.each([
    ["no HTTP", "hello\r\n\r\n", "400", "bad_request"],
    ["a large head", `GET / HTTP/1.1\r\nx: ${"a".repeat(40_000)}\r\n\r\n`, "431", "headers_too_large"],
    [
      "many headers",
      `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(101)}connection: close\r\n\r\n`,
      "431",
      "headers_too_large",
    ],
  ])("%s is refused", async (_, text, status, code) => {
    const { url } = await small();
    const answer = await exchanged(url, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(`"code":"${code}"`);
    expect(answer.toLowerCase()).toContain("x-content-type-options: nosniff");
  });

  it("a head that does not arrive is 408, and so is a body", async () => {
    const { url } = await small({ MODELSHIP_HEADER_TIMEOUT_S: "0.5", MODELSHIP_TIMEOUT_S: "0.5" });
    const head = await exchanged(url, "GET / HTTP/1.1\r\nx: ");
    expect(head).toMatch(/^HTTP\/1.1 408 /);
    const body = await exchanged(url, "POST /v1/predict HTTP/1.1\r\ncontent-length: 10\r\n\r\n{");
    expect(body).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/);
  });

  it("connections beyond the limit are told so", async () => {
    const { url } = await small({ MODELSHIP_MAX_CONNECTIONS: "1" });
    const first = connect(Number(new URL(url).port), "127.0.0.1");
    await new Promise((resolve) => first.once("connect", resolve));
    const answer = await exchanged(url, "GET /healthz HTTP/1.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 503 [\s\S]*too_many_connections/);
    first.destroy();
  });

  it("other origins are let in only by name", async () => {
    const { url } = await small({ MODELSHIP_CORS_ORIGINS: "https://app.example" });
    const preflight = (origin: string) =>
      fetch(`${url}/v1/predict`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      });
    const [own, other] = await Promise.all([
      preflight("https://app.example"),
      preflight("https://evil.example"),
    ]);
    expect([own.status, own.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });
});
