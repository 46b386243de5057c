import { type ErrorDetails, UserError } from "../errors.js";
import { isDiskFull } from "./errors.js";

/** Why a registry was not reached or said no: the engine passes on the words of many, so words are what there is. */
type RegistryFailure = "denied" | "authentication" | "not-found" | "tls" | "proxy" | "network" | "rate-limit";

const patterns: readonly (readonly [RegExp, RegistryFailure])[] = [
  [/toomanyrequests|too many requests|rate limit/i, "rate-limit"],
  [/x509|certificate|tls: |server gave HTTP response to HTTPS client/i, "tls"],
  [/proxyconnect|Proxy Authentication Required/i, "proxy"],
  [
    /no basic auth credentials|authentication required|\bunauthorized\b|401 Unauthorized|incorrect username or password|invalid username\/password|failed to authorize/i,
    "authentication",
  ],
  [/pull access denied|\bdenied\b|insufficient_scope|403 Forbidden|\bforbidden\b/i, "denied"],
  [/manifest unknown|name unknown|not found|404 Not Found|does not exist|name_unknown/i, "not-found"],
  [
    /no such host|dial tcp|dial udp|connection refused|i\/o timeout|network is unreachable|Temporary failure|context deadline exceeded|Client\.Timeout|TLS handshake timeout|server misbehaving|connection reset|\bEOF\b|failed to do request|error pinging/i,
    "network",
  ],
];

export function registryFailure(message: string): RegistryFailure | undefined {
  // "no such host" is no 404, and a lookup that failed says "not found" on some systems.
  if (/lookup \S+.*(no such host|not found|misbehaving|timeout)/i.test(message)) return "network";
  return patterns.find(([pattern]) => pattern.test(message))?.[1];
}

/** `code` for a failure that is neither "who are you" nor "you may not". */
export function registryError(
  message: string,
  what: { image: string; code: "pull_failed" | "push_failed"; base?: boolean },
): UserError {
  const { image, code, base } = what;
  const host = hostOf(image);
  const failed = base
    ? `The base image ${image} could not be pulled`
    : `The image ${image} could not be ${code === "pull_failed" ? "pulled" : "pushed"}`;
  const details = (hint: string): ErrorDetails => ({ why: message, hint });
  const otherBase = base
    ? " Or choose an image that the engine has with --base (image.base in modelship.yaml)."
    : "";

  if (isDiskFull(message))
    return new UserError("disk_full", `${failed}: the disk is full.`, {
      why: message,
      hint: "Free space with `docker system prune`, or move the engine's data root to a larger disk.",
    });
  switch (registryFailure(message)) {
    case "authentication":
      return new UserError(
        "authentication",
        `${failed}: ${host} asks who you are.`,
        details(`Log in with \`modelship login ${host}\`.${otherBase}`),
      );
    case "denied":
      return new UserError(
        "denied",
        `${failed}: ${host} denies access, or there is no such image.`,
        details(
          `Check the name; for a private image log in with \`modelship login ${host}\`, as someone who may ${code === "pull_failed" ? "read" : "write"} it.${otherBase}`,
        ),
      );
    case "not-found":
      return new UserError(
        code,
        `${failed}: ${host} has no such image.`,
        details(`Check the name and the tag.${otherBase}`),
      );
    case "rate-limit":
      return new UserError(
        code,
        `${failed}: ${host} limits how often this may be done.`,
        details(`Wait, or log in with \`modelship login ${host}\` for a higher limit.${otherBase}`),
      );
    case "tls":
      return new UserError(
        code,
        `${failed}: the TLS connection of the engine to ${host} failed.`,
        details(
          `Give the engine the registry's CA certificate (/etc/docker/certs.d/${host}/ca.crt), or for plain HTTP list it under insecure-registries in the engine's daemon.json.${otherBase}`,
        ),
      );
    case "proxy":
    case "network":
      return new UserError(
        code,
        `${failed}: the engine cannot reach ${host}.`,
        details(
          `Check the engine's network and its proxy settings (HTTPS_PROXY of the daemon, not of this shell).${otherBase}`,
        ),
      );
    default:
      return new UserError(code, `${failed}.`, details(`The engine's own log may say more.${otherBase}`));
  }
}

function hostOf(image: string): string {
  const first = image.split("/")[0] ?? "";
  return image.includes("/") && (/[.:]/.test(first) || first === "localhost") ? first : "docker.io";
}
