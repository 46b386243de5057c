import { Agent, request } from "node:http";

export interface Load {
  /** Requests that were answered with 200 so far, over all connections. */
  readonly answered: number;
  /** Resolves when the service has closed every connection; says what became of requests that had no such answer. */
  readonly over: Promise<readonly string[]>;
}

/**
 * So many callers, each on one connection of its own and with its next request as soon as it has the answer, until the
 * answer says that the connection is closed.
 */
export function loadOf(
  connections: number,
  url: string,
  body: string,
  headers: Record<string, string>,
): Load {
  const load = { answered: 0, over: Promise.resolve<readonly string[]>([]) };
  const caller = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (;;) {
        const { status, last } = await post(agent, url, body, headers);
        if (status !== 200) return [`status ${status}`];
        load.answered++;
        if (last) return [];
      }
    } catch (error) {
      return [String(error)];
    } finally {
      agent.destroy();
    }
  };
  load.over = Promise.all(Array.from({ length: connections }, caller)).then((lost) => lost.flat());
  return load;
}

function post(agent: Agent, url: string, body: string, headers: Record<string, string>) {
  return new Promise<{ status: number | undefined; last: boolean }>((resolve, reject) => {
    const sent = request(url, {
      method: "POST",
      agent,
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
    });
    sent.on("error", reject);
    sent.on("response", (answer) => {
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({ status: answer.statusCode, last: answer.headers.connection === "close" }),
      );
      answer.resume();
    });
    sent.end(body);
  });
}
