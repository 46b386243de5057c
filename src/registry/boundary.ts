import { BlockList, isIP } from "node:net";
import { UserError } from "../errors.js";
import { hostname, isLoopback } from "./reference.js";

const inner = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  inner.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  inner.addSubnet(network, prefix, "ipv6");
}

/**
 * A registry may send us on: to its token server, or to where its blobs lie. It must not send us from TLS to plain
 * HTTP, nor from the outside to an address of the inner network.
 */
export function checkBoundary(from: URL, to: string, what: string): URL {
  const url = URL.canParse(to, from.href) ? new URL(to, from) : undefined;
  const refuse = (why: string): UserError =>
    new UserError("registry_failed", `${from.host} sends ${what} to an address that cannot be used.`, {
      why,
      hint: "Check that the registry's name is right, and tell its administrator.",
    });
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    throw refuse("It is not an address of the web.");
  if (from.protocol === "https:" && url.protocol === "http:") {
    throw refuse("It would leave the encrypted connection.");
  }
  const host = hostname(url.hostname);
  const here = hostname(from.hostname);
  if (host !== here && isInner(host) && !isInner(here) && !isLoopback(here)) {
    throw refuse("It is an address of the inner network.");
  }
  return url;
}

function isInner(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && inner.check(host, family === 6 ? "ipv6" : "ipv4");
}
