import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { isReady, predict, predictUrl } from "../../../src/service/client.js";
import { readBody } from "../../../src/service/http.js";

const servers: { close: (done: () => void) => void }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(resolve));
});

async function serve(listener: RequestListener): Promise<string> {
  return listen(createServer(listener));
}

function listen(server: Server | ReturnType<typeof createSocketServer>): Promise<string> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

const body = Buffer.from('{"rows":[1]}');

describe("predict", () => {
  test("sends the body with its length and key, and returns the answer byte by byte", async () => {
    let got: { request: IncomingMessage; body: string } | undefined;
    const url = await serve(async (request, response) => {
      got = { request, body: (await readBody(request)).toString() };
      response.setHeader("content-type", "application/json");
      response.end('{"id":12345678901234567890}');
    });
    const answer = await predict({ url, body, timeout: 5, apiKey: "k" });
    expect(answer.text(false)).toBe('{"id":12345678901234567890}');
    expect(got?.body).toBe(body.toString());
    expect(got?.request.url).toBe("/v1/predict");
    expect(got?.request.headers).toMatchObject({
      "content-type": "application/json",
      "content-length": "12",
      authorization: "Bearer k",
    });
  });

  test("streams a body that is too large to hold", async () => {
    const url = await serve(async (request, response) => {
      let length = 0;
      for await (const chunk of request) length += (chunk as Buffer).length;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ length }));
    });
    const chunk = Buffer.alloc(2 ** 20, "x");
    const stream = Readable.from(Array(40).fill(chunk), { objectMode: false });
    expect((await predict({ url, body: stream, timeout: 20 })).document()).toEqual({ length: 40 * 2 ** 20 });
  });

  test("believes an answer that came before all of the body was sent", async () => {
    const url = await serve((request, response) => {
      response.statusCode = 413;
      response.setHeader("connection", "close");
      response.end('{"error":{"code":"too_large","message":"The body is larger than 1 MB."}}');
      request.resume();
      setTimeout(() => request.destroy(), 50);
    });
    const chunk = Buffer.alloc(2 ** 20, "x");
    const stream = Readable.from(Array(100).fill(chunk), { objectMode: false });
    await expect(predict({ url, body: stream, timeout: 20 })).rejects.toMatchObject({
      code: "request_rejected",
      message: "The body is larger than 1 MB.",
    });
  });

  test("tells what the service says is wrong, and where", async () => {
    const url = await serve((_request, response) => {
      response.statusCode = 422;
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          error: {
            code: "invalid_input",
            message: "The request does not fit the model's input.",
            details: [
              { path: "rows[0].pixels", message: "has 63 items, needs 64" },
              { loc: ["rows", 1], msg: "missing" },
            ],
            request_id: "r-1",
          },
        }),
      );
    });
    await expect(predict({ url, body, timeout: 5 })).rejects.toMatchObject({
      code: "request_rejected",
      exitCode: 5,
      message: "The request does not fit the model's input.",
      why: "The service answered 422 invalid_input (request r-1).",
      excerpt: ["rows[0].pixels: has 63 items, needs 64", "rows.1: missing"],
    });
  });

  test("does not say the same twice", async () => {
    const url = await serve((_request, response) => {
      const details = [{ path: "rows[0].x", rule: "must be a number", type: "float" }];
      const error = { code: "invalid_input", message: "rows[0].x: must be a number", details };
      response.writeHead(422).end(JSON.stringify({ error }));
    });
    await expect(predict({ url, body, timeout: 5 })).rejects.toMatchObject({
      message: "rows[0].x: must be a number",
      excerpt: [],
    });
  });

  test("says what to do about keys and busy services", async () => {
    let status = 401;
    const url = await serve((_request, response) => {
      response.writeHead(status, { "retry-after": "7" }).end('{"error":{"code":"x","message":"No."}}');
    });
    const hint = async (apiKey?: string) =>
      predict({ url, body, timeout: 5, apiKey }).catch((error: { hint: string }) => error.hint);
    expect(await hint()).toContain("MODELSHIP_API_KEY");
    expect(await hint("secret-key")).not.toContain("secret-key");
    status = 429;
    expect(await hint()).toBe("Try again in 7 s.");
  });

  test("shows the page of something that is no service", async () => {
    const url = await serve((_request, response) =>
      response.writeHead(502).end("<html>\nBad Gateway\n</html>"),
    );
    await expect(predict({ url, body, timeout: 5 })).rejects.toMatchObject({
      code: "request_rejected",
      message: "The service answered 502.",
      excerpt: ["<html>", "Bad Gateway", "</html>"],
    });
  });

  test("nobody there, no answer, an answer cut off, an answer too late", async () => {
    const refused = await serve(() => {});
    await new Promise<void>((resolve) => servers.pop()?.close(resolve));
    await expect(predict({ url: refused, body, timeout: 5 })).rejects.toMatchObject({
      code: "service_unreachable",
      exitCode: 5,
      why: "Nothing listens there.",
    });
    const silent = await serve(() => {});
    await expect(predict({ url: silent, body, timeout: 0.1 })).rejects.toMatchObject({
      code: "service_unreachable",
      message: expect.stringContaining("within 0.1 s"),
    });
    const cut = await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      setTimeout(() => response.destroy(), 20);
    });
    await expect(predict({ url: cut, body, timeout: 5 })).rejects.toMatchObject({
      code: "service_unreachable",
    });
  });

  test("Ctrl-C ends it", async () => {
    const url = await serve(() => {});
    const signal = AbortSignal.timeout(50);
    await expect(predict({ url, body, timeout: 5, signal })).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("ready", () => {
  test("is a 200 and nothing else", async () => {
    let status = 503;
    const url = await serve((request, response) =>
      response.writeHead(request.url === "/readyz" ? status : 500).end(),
    );
    const never = new AbortController().signal;
    expect(await isReady(url, never)).toBe(false);
    status = 200;
    expect(await isReady(url, never)).toBe(true);
    // What a port proxy does for a service that does not listen yet.
    const proxy = await listen(createSocketServer((socket) => socket.destroy()));
    expect(await isReady(proxy, never)).toBe(false);
  });
});

test("an address may be an origin, a prefix or the whole route", () => {
  expect(predictUrl("http://h:1").href).toBe("http://h:1/v1/predict");
  expect(predictUrl("h:1/").href).toBe("http://h:1/v1/predict");
  expect(predictUrl("https://h/models/digits/").href).toBe("https://h/models/digits/v1/predict");
  expect(predictUrl("http://h:1/v1/predict?x=1").href).toBe("http://h:1/v1/predict?x=1");
  expect(() => predictUrl("http://")).toThrow(expect.objectContaining({ code: "usage" }));
});
