import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { createSecureContext, type SecureContext } from "node:tls";
import { interrupted, systemCode } from "../errors.js";
import { ProxyError, proxyFor, proxyHeaders, TunnelAgent } from "./proxy.js";
import { authorities } from "./trust.js";

export interface TransportOptions {
  env: NodeJS.ProcessEnv;
  /** Authorities (PEM) that are trusted besides the usual ones. */
  ca?: string | Buffer | undefined;
  /** Take any certificate. */
  insecure?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds of silence after which a connection counts as lost. */
  timeout: number;
}

export interface Outgoing {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body?: Buffer | undefined;
  /** Instead of the transport's own. */
  timeout?: number | undefined;
}

export interface Answer {
  url: URL;
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** An answer is read into memory up to here; the largest manifest that registries take is 4 MiB. */
const largestAnswer = 16 * 1024 * 1024;

/** HTTP and HTTPS with kept connections, the host's proxies, and the authorities that the host trusts. */
export class Transport {
  private readonly options: TransportOptions;
  private readonly agents = new Map<string, HttpAgent | HttpsAgent>();
  private readonly contexts = new Map<string, SecureContext>();

  constructor(options: TransportOptions) {
    this.options = options;
  }

  /** One exchange: no redirects, no retries; any status is an answer. */
  async send(outgoing: Outgoing): Promise<Answer> {
    return collect(await this.open(outgoing), outgoing.url);
  }

  /** The same, with the body of the answer still to be read. */
  async open(outgoing: Outgoing): Promise<IncomingMessage> {
    const { signal } = this.options;
    if (signal?.aborted) throw interrupted();
    try {
      return await this.attempt(outgoing);
    } catch (error) {
      if (signal?.aborted) throw interrupted();
      // A kept connection may have been closed just as we wrote to it: nobody has read the request.
      if (error instanceof StaleConnection) return this.attempt(outgoing);
      throw error;
    }
  }

  /** Closes the kept connections. */
  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
  }

  private attempt({ method, url, headers, body, timeout }: Outgoing): Promise<IncomingMessage> {
    const { signal, env } = this.options;
    const proxy = proxyFor(url, env);
    const secure = url.protocol === "https:";
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...(body && { "content-length": String(body.length) }) },
      agent: this.agentFor(url, proxy),
      timeout: timeout ?? this.options.timeout,
      ...(signal && { signal }),
    };
    if (proxy && !secure) {
      // Without TLS a proxy is asked for the whole address.
      options.path = url.href;
      options.headers = { ...options.headers, host: url.host, ...proxyHeaders(proxy) };
    }
    return new Promise((resolve, reject) => {
      const target = proxy && !secure ? proxy : url;
      const request =
        target.protocol === "https:" ? requestHttps(target, options) : requestHttp(target, options);
      request.once("response", resolve);
      request.once("timeout", () => {
        request.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
      });
      request.once("error", (error) => {
        const code = systemCode(error);
        const stale = request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
        if (stale) reject(new StaleConnection());
        else
          reject(
            proxy && !secure && !(error instanceof ProxyError) ? new ProxyError(proxy, 0, error) : error,
          );
      });
      request.end(body);
    });
  }

  private agentFor(url: URL, proxy: URL | undefined): HttpAgent | HttpsAgent {
    const secure = url.protocol === "https:";
    const viaTls = secure || proxy?.protocol === "https:";
    const key = viaTls ? `${url.host} ${proxy?.href ?? ""}` : "http";
    const known = this.agents.get(key);
    if (known) return known;
    const tls = viaTls
      ? { secureContext: this.contextFor(url.host), rejectUnauthorized: this.options.insecure !== true }
      : {};
    const common = { keepAlive: true, ...tls };
    const agent =
      secure && proxy
        ? new TunnelAgent(proxy, common)
        : viaTls
          ? new HttpsAgent(common)
          : new HttpAgent(common);
    this.agents.set(key, agent);
    return agent;
  }

  private contextFor(host: string): SecureContext {
    const known = this.contexts.get(host);
    if (known) return known;
    const context = createSecureContext({ ca: authorities(host, this.options.env, this.options.ca) });
    this.contexts.set(host, context);
    return context;
  }
}

class StaleConnection extends Error {
  readonly code = "ECONNRESET";
}

/** Reads an answer to its end. */
export async function collect(message: IncomingMessage, url: URL): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestAnswer) {
      message.destroy();
      throw Object.assign(new Error("the answer is too large"), { code: "ANSWER_TOO_LARGE" });
    }
    chunks.push(chunk);
  }
  return { url, status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(chunks) };
}
