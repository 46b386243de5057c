import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { UserError } from "../../../src/errors.js";
import { checkBoundary } from "../../../src/registry/boundary.js";
import { parseChallenges } from "../../../src/registry/challenge.js";
import { RegistryClient, type RegistryClientOptions } from "../../../src/registry/client.js";
import { proxyFor } from "../../../src/registry/proxy.js";
import { basic, certificate, registryHandler, serve } from "./fake-registry.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function clientOf(registry: string, options: RegistryClientOptions) {
  const client = new RegistryClient(registry, {
    credentials: async () => undefined,
    env: {},
    backoff: 1,
    ...options,
  });
  cleanups.push(() => client.close());
  return client;
}

async function start(options?: { tls?: boolean }) {
  const server = await serve(registryHandler(), options);
  cleanups.push(server.close);
  return server;
}

/** A proxy that leads every host to one port of this machine. */
async function startProxy(port: number, login?: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(200, { "content-type": "application/json" });
    response.end("{}");
  });
  server.on("connect", (request, socket, head) => {
    asked.push(`CONNECT ${request.url}`);
    if (login !== undefined && request.headers["proxy-authorization"] !== login) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error(`no UserError: ${error}`);
  return error;
}

describe("TLS", () => {
  it("does not take an unknown certificate, and says how to name its authority", async () => {
    const { host } = await start({ tls: true });
    const error = await failure(clientOf(host, {}).ping());
    expect(error.code).toBe("registry_failed");
    expect(error.why).toMatch(/self-signed/);
    expect(error.hint).toMatch(/NODE_EXTRA_CA_CERTS/);
  });

  it.each(["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"])("trusts what %s names", async (name) => {
    const { host } = await start({ tls: true });
    await clientOf(host, { env: { [name]: fileURLToPath(certificate) } }).ping();
  });

  it("trusts a given authority, and anything when told to", async () => {
    const { host } = await start({ tls: true });
    await clientOf(host, { ca: readFileSync(certificate) }).ping();
    await clientOf(host, { insecure: true }).ping();
  });

  it("does not pass over a given authority that is none", async () => {
    const { host } = await start({ tls: true });
    expect((await failure(clientOf(host, { ca: "not PEM" }).ping())).code).toBe("usage");
  });

  it("says which certificate file cannot be read", async () => {
    const error = await failure(
      clientOf("registry.test", { env: { SSL_CERT_FILE: "/nowhere/ca.pem" } }).ping(),
    );
    expect(error.code).toBe("usage");
    expect(error.message).toContain("/nowhere/ca.pem");
  });
});

describe("proxies", () => {
  it("are used for TLS by CONNECT, with their login", async () => {
    const server = await start({ tls: true });
    const proxy = await startProxy(server.port, basic("ada", "s:crêt"));
    const env = { HTTPS_PROXY: `http://ada:${encodeURIComponent("s:crêt")}@${proxy.host}` };
    const client = clientOf("registry.test", { env, ca: readFileSync(certificate) });
    await client.ping();
    await client.manifest({ repository: "a/b", tag: "1" });
    expect(proxy.asked).toEqual(["CONNECT registry.test:443"]);
  });

  it("that want a login are told apart from the registry, without their password", async () => {
    const proxy = await startProxy(1, basic("ada", "right"));
    const env = { HTTPS_PROXY: `http://ada:canary@${proxy.host}` };
    const error = await failure(clientOf("registry.test", { env }).ping());
    expect(error.why).toBe(`The proxy ${proxy.host} wants a login.`);
    expect(`${error.stack}${(error.cause as Error).stack}`).not.toContain("canary");
  });

  it("that are down are named", async () => {
    const error = await failure(
      clientOf("registry.test", { env: { HTTPS_PROXY: "http://127.0.0.1:9" } }).ping(),
    );
    expect(error.why).toBe("The proxy 127.0.0.1:9 did not answer.");
  });

  it("keep the registry's certificate checked", async () => {
    const server = await start({ tls: true });
    const proxy = await startProxy(server.port);
    const env = { HTTPS_PROXY: proxy.host };
    expect((await failure(clientOf("registry.test", { env }).ping())).why).toMatch(/self-signed/);
    const wrong = clientOf("other.test", { env, ca: readFileSync(certificate) });
    expect((await failure(wrong.ping())).why).toMatch(/another name/);
  });

  it("carry plain HTTP where that is allowed", async () => {
    const proxy = await startProxy(1);
    await clientOf("registry.test:5000", { insecure: true, env: { HTTP_PROXY: proxy.host } }).ping();
    expect(proxy.asked).toContain("GET http://registry.test:5000/v2/");
  });

  it.each([
    ["https://ghcr.io/v2/", {}, undefined],
    ["https://ghcr.io/v2/", { https_proxy: "http://p:1" }, "http://p:1/"],
    ["https://ghcr.io/v2/", { HTTP_PROXY: "http://p:1" }, undefined],
    ["https://ghcr.io/v2/", { HTTPS_PROXY: "p:1", NO_PROXY: "*" }, undefined],
    ["https://r.corp.example/v2/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "a, corp.example" }, undefined],
    ["https://corp.example/v2/", { HTTPS_PROXY: "http://p:1", NO_PROXY: ".corp.example" }, "http://p:1/"],
    ["https://xcorp.example/v2/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "corp.example" }, "http://p:1/"],
    ["https://r.example:5000/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "r.example:5001" }, "http://p:1/"],
    ["https://r.example:5000/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "r.example:5000" }, undefined],
    ["https://10.1.2.3/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "10.0.0.0/8" }, undefined],
    ["https://11.1.2.3/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "10.0.0.0/8" }, "http://p:1/"],
    ["https://[fd00::1]/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "fd00::/8" }, undefined],
    ["https://localhost:5000/", { HTTPS_PROXY: "http://p:1" }, undefined],
  ])("%s with %j goes through %s", (url, env, expected) => {
    expect(proxyFor(new URL(url), env)?.href).toBe(expected);
  });

  it("that are no address are an error without the text, which may hold a password", () => {
    const env = { HTTPS_PROXY: "socks5://ada:canary@p:1" };
    expect(() => proxyFor(new URL("https://ghcr.io"), env)).toThrow(/HTTPS_PROXY does not hold/);
    expect(() => proxyFor(new URL("https://ghcr.io"), env)).not.toThrow(/canary/);
  });
});

describe("plain HTTP", () => {
  it("is not tried away from loopback unless allowed", async () => {
    const proxy = await startProxy(1);
    const env = { HTTP_PROXY: proxy.host, HTTPS_PROXY: "http://127.0.0.1:9" };
    await failure(clientOf("registry.test:5000", { env }).ping());
    expect(proxy.asked).toEqual([]);
  });
});

describe("checkBoundary", () => {
  const outside = new URL("https://registry.example/v2/");
  it.each([
    ["https://auth.example/token", "https://auth.example/token"],
    ["/blobs/1?a=%2F", "https://registry.example/blobs/1?a=%2F"],
  ])("allows %s", (to, expected) => {
    expect(checkBoundary(outside, to, "us").href).toBe(expected);
  });

  it.each([
    "http://auth.example/",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest",
    "https://192.168.1.1/",
    "https://[::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://2130706433/",
    "file:///etc/passwd",
    "https://",
  ])("refuses %s", (to) => {
    expect(() => checkBoundary(outside, to, "us")).toThrow(UserError);
  });

  it("lets the inner network be as it likes", () => {
    expect(checkBoundary(new URL("http://localhost:5000"), "http://127.0.0.1:5001/t", "us").port).toBe(
      "5001",
    );
    expect(checkBoundary(new URL("https://10.0.0.1"), "https://10.0.0.2/t", "us").host).toBe("10.0.0.2");
  });
});

describe("parseChallenges", () => {
  it.each([
    ['Basic realm="a"', [{ scheme: "basic", parameters: { realm: "a" } }]],
    [
      'Bearer realm="https://a/t?x=1,2",service="s",scope="repository:a/b:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: { realm: "https://a/t?x=1,2", service: "s", scope: "repository:a/b:pull,push" },
        },
      ],
    ],
    [
      'Negotiate, Basic realm="a \\"b\\"", Bearer realm=https://t/ , error="x"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: 'a "b"' } },
        { scheme: "bearer", parameters: { realm: "https://t/", error: "x" } },
      ],
    ],
    ["", []],
    [undefined, []],
  ])("reads %s", (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});
