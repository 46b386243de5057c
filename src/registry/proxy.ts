import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { BlockList, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import { UserError } from "../errors.js";
import { hostname, isLoopback } from "./reference.js";

/** The proxy for an address, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; this machine is never behind one. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const names = url.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  const name = names.find((candidate) => env[candidate]);
  const text = name && env[name];
  if (!text || isLoopback(url.hostname) || bypasses(url, env.NO_PROXY || env.no_proxy || ""))
    return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy?.protocol !== "http:" && proxy?.protocol !== "https:") {
    throw new UserError("usage", `${name} does not hold the address of an HTTP proxy.`, {
      hint: "Write it as http://proxy.example:3128.",
    });
  }
  return proxy;
}

/** `*`, `.example.com` (what is below it), `example.com` (it and what is below), `10.0.0.0/8`, each maybe with a port. */
function bypasses(url: URL, list: string): boolean {
  const host = hostname(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [network = "", prefix] = entry.split("/");
      const family = isIP(network);
      if (family !== 0 && prefix !== undefined) {
        const list = new BlockList();
        try {
          list.addSubnet(network, Number(prefix), family === 6 ? "ipv6" : "ipv4");
        } catch {
          return false;
        }
        return isIP(host) === family && list.check(host, family === 6 ? "ipv6" : "ipv4");
      }
      const entryPort = isIP(entry) === 6 ? undefined : /:(\d+)$/.exec(entry)?.[1];
      if (entryPort !== undefined && entryPort !== port) return false;
      const name = hostname(entry).replace(/^\*(?=\.)/, "");
      return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
    });
}

/** The header that shows a proxy who we are, when its address says so. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === "") return {};
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` };
}

/** TLS connections through a proxy's CONNECT. */
export class TunnelAgent extends Agent {
  private readonly proxy: URL;

  constructor(proxy: URL, options: ConstructorParameters<typeof Agent>[0]) {
    super(options);
    this.proxy = proxy;
  }

  override createConnection(
    options: RequestOptions & ConnectionOptions,
    done: (error: Error | null, stream: Duplex) => void = () => {},
  ): undefined {
    // The agent looks at the stream only when there is no error.
    const fail = (error: Error) => done(error, undefined as unknown as Duplex);
    const { host = "", port = 443 } = options;
    const target = `${host?.includes(":") ? `[${host}]` : host}:${port}`;
    const open = this.proxy.protocol === "https:" ? httpsRequest : httpRequest;
    const request = open(this.proxy, {
      method: "CONNECT",
      path: target,
      headers: { host: target, ...proxyHeaders(this.proxy) },
      agent: false,
      timeout: 30_000,
    });
    request.once("connect", (answer, socket) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        fail(new ProxyError(this.proxy, answer.statusCode ?? 0));
        return;
      }
      const secure = tlsConnect({ ...options, socket });
      secure.once("secureConnect", () => {
        secure.removeListener("error", fail);
        done(null, secure);
      });
      secure.once("error", fail);
    });
    request.once("timeout", () => request.destroy(new ProxyError(this.proxy, 0)));
    request.once("error", (error) =>
      fail(error instanceof ProxyError ? error : new ProxyError(this.proxy, 0, error)),
    );
    request.end();
    return undefined;
  }
}

/** The proxy, not the registry, is in the way. `status` is 0 when it gave no answer at all. */
export class ProxyError extends Error {
  readonly host: string;
  readonly status: number;

  constructor(proxy: URL, status: number, cause?: unknown) {
    super("the proxy refused", { cause });
    this.host = proxy.host;
    this.status = status;
  }
}
