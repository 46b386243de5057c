import { type ErrorDetails, isUserError, systemCode, UserError } from "../errors.js";
import { ProxyError } from "./proxy.js";
import type { Redactor } from "./redact.js";
import { retryAfter } from "./retry.js";
import type { Answer } from "./transport.js";

/** What was being done, for the texts of errors. */
export interface Subject {
  /** The registry as users write it. */
  registry: string;
  /** `ghcr.io/acme/digits:1`, or the registry alone. */
  name: string;
  redactor: Redactor;
}

const certificateCodes: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "Its certificate is self-signed.",
  SELF_SIGNED_CERT_IN_CHAIN: "Its certificate comes from an authority that this machine does not know.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "Its certificate comes from an authority that this machine does not know.",
  UNABLE_TO_GET_ISSUER_CERT: "Its certificate comes from an authority that this machine does not know.",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "Its certificate comes from an authority that this machine does not know.",
  CERT_UNTRUSTED: "Its certificate comes from an authority that this machine does not trust.",
  CERT_HAS_EXPIRED: "Its certificate has expired.",
  CERT_NOT_YET_VALID: "Its certificate is not valid yet.",
  ERR_TLS_CERT_ALTNAME_INVALID: "Its certificate is for another name.",
};

/** Whether the other side spoke TLS, with a certificate that we do not take. */
export function isCertificateError(error: unknown): boolean {
  return (systemCode(error) ?? "") in certificateCodes;
}

/** The registry gave no answer. */
export function connectionError(error: unknown, host: string): UserError {
  if (isUserError(error)) return error;
  const failed = (why: string, hint: string) =>
    new UserError("registry_failed", `The registry ${host} cannot be reached.`, { why, hint, cause: error });
  if (error instanceof ProxyError) {
    const login = error.status === 407;
    return failed(
      login
        ? `The proxy ${error.host} wants a login.`
        : error.status > 0
          ? `The proxy ${error.host} refused with HTTP ${error.status}.`
          : `The proxy ${error.host} did not answer.`,
      login
        ? "Put user:password@ before the host in HTTPS_PROXY."
        : `Check HTTPS_PROXY and HTTP_PROXY, or add ${host} to NO_PROXY.`,
    );
  }
  const code = systemCode(error) ?? "";
  const certificate = certificateCodes[code];
  if (certificate) {
    const unknown = /authority|self-signed/.test(certificate);
    return failed(
      certificate,
      unknown
        ? "Name the file of its CA certificate (PEM) in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE."
        : "Check the registry's name and this machine's clock, or tell its administrator.",
    );
  }
  switch (code) {
    case "ECONNREFUSED":
      return failed(
        "Nothing listens on that port.",
        "Check the host and the port, and that the registry runs.",
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return failed("Its name is not known to DNS.", "Check its spelling and the network of this machine.");
    case "ETIMEDOUT":
      return failed("It did not answer in time.", "Check the network, a firewall or a proxy in between.");
    case "ECONNRESET":
    case "EPIPE":
      return failed(
        "The connection was cut.",
        "Try again; if it stays so, look for a proxy or firewall in between.",
      );
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return failed(
        "There is no way to it from this network.",
        "Check the network, a VPN or a firewall in between.",
      );
    case "ANSWER_TOO_LARGE":
      return failed(
        "Its answer is larger than any manifest may be.",
        "Check that the address is a registry's.",
      );
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS")) {
    return failed(
      "It does not speak TLS there.",
      "Use the port of its HTTPS side, or allow plain HTTP with --insecure.",
    );
  }
  return failed(
    code ? `The system says ${code}.` : "The connection failed.",
    "Check the host, the port and the network.",
  );
}

/** What of a login the registry has seen. */
export type Shown = "nothing" | "rejected" | "accepted";

/** The registry wants to know who we are, and does not take what we said. */
export function loginError(
  subject: Subject,
  answer: Answer,
  shown: "nothing" | "rejected" | "accepted",
): UserError {
  const { registry, name } = subject;
  const login = `modelship login ${registry}`;
  const details = { cause: causeOf(subject, answer) };
  switch (shown) {
    case "nothing":
      return new UserError("authentication", `${name} needs a login.`, {
        why: `${registry} does not show it to everybody: it is private, or it does not exist.`,
        hint: `Log in with: ${login}`,
        ...details,
      });
    case "rejected":
      return new UserError("authentication", `${registry} does not accept this login.`, {
        why: "The user name or the password (or token) is wrong, or no longer valid.",
        hint: `Log in again with: ${login}`,
        ...details,
      });
    case "accepted":
      return deniedError(subject, answer);
  }
}

export function deniedError(subject: Subject, answer: Answer): UserError {
  return new UserError("denied", `${subject.registry} does not allow this with ${subject.name}.`, {
    why: isHtml(answer)
      ? "It sent a web page with HTTP 403; a proxy may stand in between."
      : (saidBy(subject, answer) ?? "The account may not do it, or the registry wants to know who asks."),
    hint: `Log in with an account that may: modelship login ${subject.registry}`,
    cause: causeOf(subject, answer),
  });
}

/** Any other answer that is not what was asked for. */
export function answerError(subject: Subject, answer: Answer): UserError {
  const { registry, name } = subject;
  const said = saidBy(subject, answer);
  const cause = causeOf(subject, answer);
  const failed = (message: string, details: ErrorDetails) =>
    new UserError("registry_failed", message, { ...details, cause });
  const codes = errorsOf(answer).map(({ code }) => code);
  if (answer.status === 403) return deniedError(subject, answer);
  if (isHtml(answer)) return notARegistry(subject, answer);
  if (answer.status === 404) {
    const repository = name.replace(/@.*$|:[^:/]*$/, "");
    if (codes.includes("NAME_UNKNOWN")) {
      return failed(`The repository ${repository} does not exist.`, {
        why: said,
        hint: "Check its spelling; some registries want it made before the first push.",
      });
    }
    if (codes.includes("MANIFEST_UNKNOWN") || codes.includes("NOT_FOUND")) {
      return failed(`${name} does not exist.`, {
        why: `${registry} knows no such tag or digest in ${repository}.`,
        hint: "Check the tag, or push it first.",
      });
    }
    if (codes.length === 0) return failed(`${name} does not exist.`, { why: `${registry} says HTTP 404.` });
  }
  if (answer.status === 429) {
    const wait = retryAfter(answer);
    return failed(`${registry} limits how often it may be asked.`, {
      why: said,
      hint: wait
        ? `Try again in ${Math.ceil(wait / 1000)} seconds.`
        : "Try again later, or log in for a higher limit.",
    });
  }
  if (answer.status >= 500) {
    return failed(`${registry} failed with HTTP ${answer.status}.`, {
      why: said ?? "The registry itself says nothing more.",
      hint: "Try again later; its logs tell its administrator more.",
    });
  }
  return failed(`${registry} did not take the request for ${name}: HTTP ${answer.status}.`, {
    why: said,
    hint: "Check the name; --debug shows the requests.",
  });
}

export function notARegistry({ registry }: Subject, answer: Answer): UserError {
  return new UserError("registry_failed", `${registry} answers, but not as a registry does.`, {
    why: isHtml(answer)
      ? `It sent a web page (HTTP ${answer.status}).`
      : `GET ${answer.url.pathname} gave HTTP ${answer.status}.`,
    hint: "Check the host and the port; a proxy or a sign-in page may stand in between.",
  });
}

function isHtml(answer: Answer): boolean {
  return /^text\/html/i.test(answer.headers["content-type"] ?? "");
}

interface ErrorEntry {
  code?: string;
  message?: string;
  detail?: unknown;
}

/** The entries of a registry's error document. */
export function errorsOf(answer: Answer): ErrorEntry[] {
  try {
    const { errors } = JSON.parse(answer.body.toString("utf8")) as { errors?: unknown };
    return Array.isArray(errors) ? errors.filter((entry) => typeof entry === "object" && entry !== null) : [];
  } catch {
    return [];
  }
}

function saidBy({ registry, redactor }: Subject, answer: Answer): string | undefined {
  const texts = errorsOf(answer).map(({ code, message }) => message || code);
  const text = redactor.clean(texts.filter((entry) => typeof entry === "string").join("; "));
  return text === "" ? undefined : `${registry} says: ${text}`;
}

/** For --debug: the answer without its headers, which may hold tokens. */
function causeOf({ redactor }: Subject, { url, status, body }: Answer): Error {
  const text = redactor.clean(body.subarray(0, 2000).toString("utf8"));
  return new Error(`HTTP ${status} from ${url.origin}${url.pathname}${text === "" ? "" : `: ${text}`}`);
}
