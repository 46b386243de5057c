import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";

interface Finished {
  request: ClientRequest & { socketPath?: string };
  response?: IncomingMessage;
  error?: Error;
}

/**
 * `--debug`: a line for every HTTP request that was answered or failed, to the engine, to registries and to services,
 * as Node itself announces them. Queries, headers and bodies are left out: that is where secrets travel.
 */
export function traceRequests(say: (line: string) => void): void {
  subscribe("http.client.response.finish", (message) => {
    const { request, response } = message as Finished;
    say(`${describe(request)} ${response?.statusCode}`);
  });
  subscribe("http.client.request.error", (message) => {
    const { request, error } = message as Finished;
    say(`${describe(request)} ${error?.message}`);
  });
}

function describe(request: Finished["request"]): string {
  const path = request.path.split("?")[0];
  const place = request.socketPath ?? `${request.protocol}//${request.getHeader("host") ?? request.host}`;
  return `${request.method} ${place} ${path}`;
}
