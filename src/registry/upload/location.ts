import { UserError } from "../../errors.js";
import { checkBoundary } from "../boundary.js";
import type { Answer } from "../transport.js";

/** Where an upload goes on; a registry that says nothing means: where it was. */
export function nextLocation(answer: Answer, current?: URL): URL {
  const { location } = answer.headers;
  if (location === undefined) {
    if (current) return current;
    throw new UserError("registry_failed", `${answer.url.host} does not say where an upload goes.`, {
      why: "Its answer has no Location.",
      hint: "Check that the address is a registry's; a proxy may stand in between.",
    });
  }
  return checkBoundary(answer.url, encrypted(answer.url, location), "an upload");
}

/** A registry behind somebody else's TLS may not know that it is. */
function encrypted(from: URL, location: string): string {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const unaware = from.protocol === "https:" && url?.protocol === "http:" && url.host === from.host;
  return unaware ? `https:${url.href.slice("http:".length)}` : location;
}

/**
 * Docker's registry signs the state of an upload into its address. Once a piece was cut no address of the upload is valid any
 * more (seen with distribution 2.8), so that whole pieces save nothing there.
 */
export function forgetsCutUploads(location: URL): boolean {
  return location.searchParams.has("_state");
}

/** The query of a location is the registry's own and stays as it is. */
export function withDigest(location: URL, digest: string): URL {
  const url = new URL(location);
  url.search = `${url.search}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** How many bytes a registry has, as the Range of its answer tells; `undefined` when it tells nothing. */
export function bytesTaken(answer: Answer): number | undefined {
  const range = answer.headers.range;
  const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(typeof range === "string" ? range : "")?.[1];
  if (last === undefined) return undefined;
  // Nothing and one byte look the same.
  return last === "0" ? 0 : Number(last) + 1;
}
