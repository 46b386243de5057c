import { isIP } from "node:net";
import * as keys from "../docker/auth/registry-key.js";
import { UserError } from "../errors.js";

/** The name of an image, as the OCI grammar and Docker's defaults read it. */
export interface Reference {
  /** The host as users write it; `docker.io` where they wrote none. */
  registry: string;
  /** The path within the registry; Docker Hub's official images begin with `library/`. */
  repository: string;
  tag?: string;
  /** `sha256:...` */
  digest?: string;
}

const hub = "docker.io";
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const longestName = 255;
const longestTag = 128;

/** Reads `[registry/]repository[:tag][@digest]`; anything else is an error that points at the character. */
export function parseReference(text: string): Reference {
  const fail = (why: string, hint?: string): UserError =>
    new UserError("reference", `"${text}" is not an image name.`, {
      why,
      hint: hint ?? "An image name looks like registry.example/team/name:tag.",
    });

  if (text === "") throw fail("It is empty.");
  const space = /\s/.exec(text);
  if (space) {
    const tidy = text.trim();
    throw fail(
      `It has a space ${position(text, space.index)}.`,
      isValid(tidy) ? suggestion(tidy) : undefined,
    );
  }
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme) {
    const bare = text.slice(scheme[0].length).replace(/\/+$/, "");
    throw fail(`It begins with "${scheme[0]}".`, isValid(bare) ? suggestion(bare) : "Leave that out.");
  }

  const at = text.indexOf("@");
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined) checkDigest(digest, fail);

  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  if (tag !== undefined) checkTag(tag, text, name.length + 1, fail);

  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = /[.:[]/.test(first) || first.toLowerCase() === "localhost";
  const written = hasRegistry ? checkHost(first, fail) : hub;
  const registry = written === "index.docker.io" ? hub : written;
  const path = hasRegistry ? name.slice(slash + 1) : name;
  checkPath(path, text, hasRegistry ? slash + 1 : 0, fail);
  if (!hasRegistry && /^[0-9a-f]{64}$/.test(path)) {
    throw fail(
      "64 hexadecimal digits are the id of an image, not a name.",
      "Give the image a tag, and use that.",
    );
  }
  if (name.length > longestName) {
    throw fail(`It has ${name.length} characters before the tag; ${longestName} are allowed.`);
  }
  return {
    registry,
    repository: registry === hub && !path.includes("/") ? `library/${path}` : path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** The full name: with the registry, and with `library/` for Docker Hub's official images. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The name as Docker prints it: without what it would add by itself. */
export function shortReference(reference: Reference): string {
  const full = formatReference(reference);
  return reference.registry === hub ? full.replace(/^docker\.io\/(library\/)?/, "") : full;
}

/** The host that answers the registry's API; Docker Hub's has another name than users write. */
export function registryHost(reference: Pick<Reference, "registry">): string {
  return keys.isHub(reference.registry) ? "registry-1.docker.io" : reference.registry;
}

/** The key under which Docker keeps this registry's credential. */
export function authKey(reference: Pick<Reference, "registry">): string {
  return keys.authKey(reference.registry);
}

/** Reads what a user gives to `login`: a host with or without port, also as an address. */
export function parseRegistry(text: string): string {
  if (/^https?:\/\/[^/]*@/i.test(text)) {
    throw new UserError("reference", "The registry's address holds a user name.", {
      hint: "Give the host alone; the user name has an option of its own.",
    });
  }
  const host = keys.hostOfKey(text.trim());
  if (keys.isHub(host)) return hub;
  return checkHost(
    host,
    (why, hint) =>
      new UserError("reference", `"${text}" is not a registry.`, {
        why,
        hint: hint ?? "A registry looks like ghcr.io or localhost:5000.",
      }),
  );
}

/** Whether a host, with or without its port, is this machine. Only such a registry is spoken to without TLS unasked. */
export function isLoopback(host: string): boolean {
  const name = hostname(host);
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  const version = isIP(name);
  return version === 4
    ? name.startsWith("127.")
    : version === 6 && new URL(`http://[${name}]`).hostname === "[::1]";
}

/** A host without its port, and an IPv6 address without its brackets. */
export function hostname(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return (bracketed?.[1] ?? (isIP(host) === 6 ? host : host.replace(/:\d*$/, ""))).toLowerCase();
}

type Fail = (why: string, hint?: string) => UserError;

function checkHost(text: string, fail: Fail): string {
  const [, host = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text) ?? [];
  const valid = host.startsWith("[")
    ? isIP(host.slice(1, -1)) === 6
    : /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i.test(host);
  if (!valid) {
    const wrong = host.startsWith("[") ? null : /[^a-z0-9.-]/i.exec(host);
    const reason = wrong ? `: "${wrong[0]}" is not allowed in one` : "";
    throw fail(`"${text}" is not the name of a host${reason}.`);
  }
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) <= 65_535)) {
    throw fail(`"${port}" is not a port.`, "A port is a number from 1 to 65535.");
  }
  return text.toLowerCase();
}

function checkPath(path: string, text: string, offset: number, fail: Fail): void {
  if (path === "") throw fail("The name of the repository is missing.");
  const lower = text.slice(0, offset) + path.toLowerCase() + text.slice(offset + path.length);
  let start = offset;
  for (const part of path.split("/")) {
    if (part === "") {
      const tidy = text.replace(/\/{2,}/g, "/").replace(/^\/|\/$/g, "");
      throw fail(
        `It has an empty part ${position(text, Math.min(start, text.length - 1))}.`,
        isValid(tidy) ? suggestion(tidy) : undefined,
      );
    }
    const wrong = /[^a-z0-9._-]/.exec(part);
    if (wrong) {
      const upper = /[A-Z]/.test(wrong[0]);
      throw fail(
        `"${wrong[0]}" ${position(text, start + wrong.index)} is ${upper ? "an upper-case letter" : "not allowed"}; the parts of a name take a-z, 0-9, and . _ - between them.`,
        isValid(lower) ? suggestion(lower) : undefined,
      );
    }
    if (!component.test(part)) {
      const edge = /^[._-]|[._-]$/.exec(part);
      // Dots, three underscores or two kinds together do not join two words.
      const joint = /\.[._-]+|_{3,}|_+[.-]+|-+[._]+/.exec(part);
      const bad = edge ?? joint;
      throw fail(
        `"${bad?.[0] ?? part}" ${position(text, start + (bad?.index ?? 0))} does not stand between two letters or digits.`,
      );
    }
    start += part.length + 1;
  }
}

function checkTag(tag: string, text: string, start: number, fail: Fail): void {
  if (tag === "") throw fail("The tag behind the colon is missing.");
  const wrong = /^[.-]|[^A-Za-z0-9_.-]/.exec(tag);
  if (wrong) {
    const tidy = tag.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "");
    throw fail(
      `"${wrong[0]}" ${position(text, start + wrong.index)} is not allowed ${wrong.index === 0 ? "at the start of" : "in"} a tag.`,
      tidy === ""
        ? undefined
        : suggestion(text.slice(0, start) + tidy.slice(0, longestTag) + text.slice(start + tag.length)),
    );
  }
  if (tag.length > longestTag) throw fail(`Its tag has ${tag.length} characters; ${longestTag} are allowed.`);
}

function checkDigest(digest: string, fail: Fail): void {
  const lengths: Record<string, number> = { sha256: 64, sha384: 96, sha512: 128 };
  const [algorithm = "", hex = ""] = digest.split(":", 2);
  const length = lengths[algorithm];
  if (length === undefined || !digest.includes(":")) {
    throw fail(`"${digest}" is not a digest.`, `A digest is "sha256:" and 64 hexadecimal digits.`);
  }
  const wrong = /[^0-9a-f]/.exec(digest.slice(algorithm.length + 1));
  if (wrong) throw fail(`"${wrong[0]}" in its digest is not a hexadecimal digit in lower case.`);
  if (hex.length !== length) {
    throw fail(
      `Its digest has ${hex.length} digits; ${algorithm} has ${length}.`,
      "Copy the digest as a whole.",
    );
  }
}

function position(text: string, index: number): string {
  return index === 0
    ? "at its start"
    : index === text.length - 1
      ? "at its end"
      : `at character ${index + 1}`;
}

function suggestion(text: string): string {
  return `Did you mean "${text}"?`;
}

function isValid(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}
