import type { Endpoint } from "../docker/endpoint.js";

/** The machine whose ports the engine publishes, as this machine reaches it; `undefined` for this machine itself. */
export function remoteHost(endpoint: Endpoint): string | undefined {
  if (!/^(tcp|https?|ssh):/.test(endpoint.host)) return undefined;
  const name = new URL(endpoint.host.replace(/^tcp:/, "http:")).hostname;
  return /^(localhost|127\..*|\[::1\])$/.test(name) ? undefined : name;
}

/** The address under which a port that is bound to `address` on the engine's machine is reached from here. */
export function serviceUrl(endpoint: Endpoint, address: string, port: number): string {
  return `http://${remoteHost(endpoint) ?? localHost(address)}:${port}`;
}

/** The address of a service on this machine that listens on `address`. */
export function localUrl(address: string, port: number): string {
  return `http://${localHost(address)}:${port}`;
}

function localHost(address: string): string {
  const anywhere = address === "0.0.0.0" || address === "::" || address === "";
  return anywhere ? "127.0.0.1" : address.includes(":") ? `[${address}]` : address;
}
