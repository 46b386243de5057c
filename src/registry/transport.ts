import {
  type ClientRequest,
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

/** A body that is sent while it is read. A chunk may be overwritten once the next one is asked for. */
export interface Body {
  /** Bytes of all chunks together. */
  size: number;
  chunks: AsyncIterable<Buffer>;
  /** Milliseconds of silence that are allowed once all of it is sent. */
  patience: number;
}

export interface Outgoing {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body?: Buffer | Body | undefined;
  /** Instead of the transport's own. */
  timeout?: number | undefined;
  /** Ends this exchange alone. */
  signal?: AbortSignal | undefined;
  /** To tidy up: it is sent even when everything else is to stop. */
  last?: boolean;
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
    const message = await this.open(outgoing);
    try {
      return await collect(message, outgoing.url);
    } catch (error) {
      if (this.stopped(outgoing)) throw interrupted();
      throw error;
    }
  }

  /** The same, with the body of the answer still to be read. */
  async open(outgoing: Outgoing): Promise<IncomingMessage> {
    if (this.stopped(outgoing)) throw interrupted();
    try {
      return await this.attempt(outgoing);
    } catch (error) {
      if (this.stopped(outgoing)) throw interrupted();
      // A kept connection may have been closed just as we wrote to it: nobody has read the request.
      if (error instanceof StaleConnection && !isStreamed(outgoing.body)) return this.attempt(outgoing);
      throw error;
    }
  }

  /** Closes the kept connections. */
  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
  }

  private stopped(outgoing: Outgoing): boolean {
    return this.signalsFor(outgoing).some(({ aborted }) => aborted);
  }

  private signalsFor({ signal, last }: Outgoing): AbortSignal[] {
    return last ? [] : [this.options.signal, signal].filter((one) => one !== undefined);
  }

  private attempt(outgoing: Outgoing): Promise<IncomingMessage> {
    const { method, url, headers, body, timeout } = outgoing;
    const { env } = this.options;
    const signals = this.signalsFor(outgoing);
    const length = isStreamed(body) ? body.size : body?.length;
    const proxy = proxyFor(url, env);
    const secure = url.protocol === "https:";
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...(length !== undefined && { "content-length": String(length) }) },
      agent: this.agentFor(url, proxy),
      timeout: timeout ?? this.options.timeout,
      ...(signals.length > 0 && { signal: AbortSignal.any(signals) }),
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
      const pouring = isStreamed(body)
        ? pour(body, request).catch((error: unknown) => {
            reject(error);
            request.destroy();
          })
        : request.end(body);
      // Whoever made the body may read on only once nobody else does.
      const settle = async (how: () => void) => {
        await pouring;
        how();
      };
      request.once("response", (message: IncomingMessage) => {
        // An answer to half a request: the rest of it is never sent, so the connection is of no more use.
        message.once("close", () => request.writableEnded || request.destroy());
        void settle(() => resolve(message));
      });
      request.once("timeout", () => {
        request.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
      });
      request.once("error", (error) => {
        const code = systemCode(error);
        const stale = request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
        const viaProxy = proxy && !secure && !(error instanceof ProxyError);
        const failure = viaProxy ? new ProxyError(proxy, 0, error) : error;
        void settle(() => reject(stale ? new StaleConnection() : failure));
      });
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

function isStreamed(body: Buffer | Body | undefined): body is Body {
  return body !== undefined && "chunks" in body;
}

/** Sends a body chunk by chunk, until an answer comes or the connection ends: nobody reads the rest then. */
async function pour(body: Body, request: ClientRequest): Promise<void> {
  let over = false;
  const ended = new Promise<void>((resolve) => {
    for (const event of ["response", "error", "close"]) {
      request.once(event, () => {
        over = true;
        resolve();
      });
    }
  });
  for await (const chunk of body.chunks) {
    if (over) return;
    // Only a chunk that the system has taken may be overwritten.
    const taken = new Promise<void>((resolve) => {
      request.write(chunk, (error) => {
        over ||= Boolean(error);
        resolve();
      });
    });
    await Promise.race([ended, taken]);
    if (over) return;
  }
  request.setTimeout(body.patience);
  request.end();
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
