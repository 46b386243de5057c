import { interrupted, isUserError, messageOf, systemCode, UserError } from "../errors.js";
import { StreamProtocolError } from "./json-lines.js";

/** System codes of a connection that was never made, or was lost. */
const connectionCodes = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ECONNRESET",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "HPE_INVALID_CONSTANT",
]);

export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === "number" ? status : undefined;
}

/** What the engine itself said, without docker-modem's "(HTTP code 500) server error - ". */
export function engineMessage(error: unknown): string {
  return messageOf(error)
    .replace(/^\(HTTP code \d+\) .*? - /s, "")
    .trim();
}

export function isAbort(error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === "AbortError" || systemCode(error) === "ABORT_ERR";
}

/** Whether the connection to the engine broke, rather than the engine having said no. */
export function isConnectionLoss(error: unknown): boolean {
  if (statusOf(error) !== undefined) return false;
  const code = systemCode(error);
  return (code !== undefined && connectionCodes.has(code)) || /socket hang up|aborted/.test(messageOf(error));
}

export function diskFull(what: string, cause: unknown): UserError {
  return new UserError("disk_full", `The engine's disk is full: ${what}.`, {
    why: engineMessage(cause),
    hint: "Free space with `docker system prune` (or `docker builder prune` for the build cache), or move the engine's data root to a larger disk.",
    cause,
  });
}

/** No room left, in the words of the kernel, of a quota, and of containerd. */
export function isDiskFull(message: string): boolean {
  return /no space left on device|disk quota exceeded|not enough space on the disk/i.test(message);
}

/**
 * An error of the engine in the user's terms. `doing` completes "while ..." and "Failed ...": `building the image`,
 * `starting the container`. UserErrors pass through.
 */
export function engineError(error: unknown, doing: string): UserError {
  if (isUserError(error)) return error;
  if (isAbort(error)) return interrupted();
  const message = engineMessage(error);

  if (isDiskFull(message)) return diskFull(doing, error);
  if (systemCode(error) === "EACCES" && statusOf(error) === undefined)
    return new UserError("engine_permission", `No permission to use the engine's socket while ${doing}.`, {
      why: message,
      cause: error,
    });
  if (isConnectionLoss(error))
    return new UserError("engine_unreachable", `The engine stopped answering while ${doing}.`, {
      why: `The connection was lost (${message}).`,
      hint: "See whether it still runs (`systemctl status docker`, or Docker Desktop) and look at its log, then try again.",
      cause: error,
    });
  if (error instanceof StreamProtocolError)
    return new UserError("engine_unreachable", `The engine's answer made no sense while ${doing}.`, {
      why: message,
      hint: "Something between here and the engine may have answered in its place, such as a proxy.",
      cause: error,
    });
  return httpError(error, message, doing);
}

function httpError(error: unknown, message: string, doing: string): UserError {
  const status = statusOf(error);
  const port = /(?:Bind for |listen tcp\d? )(\S+?)(?::? failed|: bind)|port is already allocated/i.exec(
    message,
  );
  if (port || /address already in use/i.test(message))
    return new UserError(
      "container_failed",
      `The port ${port?.[1] ?? ""} is in use already.`.replace("  ", " "),
      {
        why: message,
        hint: "Choose another with --port, or --port 0 for any free one.",
        cause: error,
      },
    );
  if (/no such image|image not known|no such image/i.test(message))
    return new UserError("image_not_found", `The engine has no such image (${doing}).`, {
      why: message,
      hint: "List its images with `docker images`, or build or pull the image first.",
      cause: error,
    });
  if (/no such container|no container with name or id/i.test(message))
    return new UserError("container_not_found", `The engine has no such container (${doing}).`, {
      why: message,
      hint: "`modelship ps` lists what runs.",
      cause: error,
    });
  if (status === 409 && /name .* is (already )?in use|already in use by/i.test(message))
    return new UserError("container_failed", "A container of that name exists already.", {
      why: message,
      hint: "Choose another --name, or stop the other one first.",
      cause: error,
    });
  if (status === 403 || status === 407)
    return new UserError("engine_permission", `The engine does not allow this (${doing}).`, {
      why: message,
      cause: error,
    });
  if (/client version .* is too (new|old)|minimum supported API version/i.test(message))
    return new UserError("engine_unsupported", "The engine speaks another version of its API.", {
      why: message,
      hint: "Unset DOCKER_API_VERSION, or update the engine.",
      cause: error,
    });
  return new UserError("failed", `The engine failed ${doing}.`, {
    why: message,
    ...(status !== undefined && status >= 500 && { hint: "The engine's own log may say more." }),
    cause: error,
  });
}
