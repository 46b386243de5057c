import { type ErrorDetails, isUserError, messageOf, systemCode, UserError } from "../errors.js";
import type { Endpoint } from "./endpoint.js";
import { engineMessage, statusOf } from "./errors.js";

/**
 * Why the first question to an engine got no answer, and what to do. `waited` is set (milliseconds) where the time
 * ran out. UserErrors pass through.
 */
export function unreachable(error: unknown, endpoint: Endpoint, waited: number | undefined): UserError {
  if (isUserError(error)) return error;
  const code = systemCode(error);
  const message = engineMessage(error);
  const where = `${endpoint.host} (from ${endpoint.source})`;
  const fail = (why: string, hint: string) => {
    const details: ErrorDetails = { why, hint, cause: error };
    return new UserError("engine_unreachable", `No container engine answers at ${where}.`, details);
  };

  if (waited !== undefined)
    return fail(
      `It did not answer within ${Math.round(waited / 1000)} s.`,
      "See whether the engine is busy or stopped, and whether the address and the firewall are right.",
    );
  if (code === "EACCES" || code === "EPERM")
    return new UserError("engine_permission", `No permission to use the engine at ${where}.`, {
      why: `This user may not open its socket (${code}).`,
      hint: "Add yourself to the docker group (`sudo usermod -aG docker $USER`, then log in again), or use a rootless engine.",
      cause: error,
    });
  if (code === "ENOENT" && !isSsh(endpoint))
    return fail(
      "There is no such socket: the engine is not installed, or has not been started.",
      "Start Docker Desktop, Colima or `sudo systemctl start docker`; where the engine listens elsewhere, name it with --host, DOCKER_HOST or a docker context.",
    );
  if (isSsh(endpoint)) return sshFailed(error, code, message, fail);
  if (code === "ECONNREFUSED")
    return fail(
      endpoint.host.startsWith("unix:")
        ? "The socket is left over from an engine that no longer runs."
        : "Nothing listens on that port.",
      "Start the engine (Docker Desktop, Colima, or `sudo systemctl start docker`), and check the address.",
    );
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return fail("Its host name is not known.", `Check the address; it comes from ${endpoint.source}.`);
  if (isTls(code, message))
    return fail(
      `The TLS connection failed: ${message}.`,
      "Check the ca.pem, cert.pem and key.pem of the docker context or of DOCKER_CERT_PATH, and whether the engine expects TLS (port 2376) or not (2375).",
    );
  if (/HTTP request to an HTTPS server/i.test(message))
    return fail(
      "It expects TLS.",
      "Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a docker context with certificates.",
    );
  const status = statusOf(error);
  if (status === 400 && /client version|API version/i.test(message))
    return new UserError("engine_unsupported", `The engine at ${where} refuses this API version.`, {
      why: message,
      hint: "Unset DOCKER_API_VERSION, or update the engine.",
      cause: error,
    });
  if (status !== undefined)
    return fail(
      `It answered with HTTP ${status}: ${message.slice(0, 300)}`,
      "Check that the address is an engine's and not another server's, and the engine's own log.",
    );
  return fail(`The connection failed: ${message}.`, "See whether the engine runs, and check the address.");
}

function isSsh(endpoint: Endpoint): boolean {
  return endpoint.host.startsWith("ssh:");
}

function sshFailed(
  error: unknown,
  code: string | undefined,
  message: string,
  fail: (why: string, hint: string) => UserError,
): UserError {
  if (code === "ENOENT")
    return fail(
      "The program ssh is not on the PATH.",
      "Install an OpenSSH client, or use another kind of address.",
    );
  if (/permission denied \(/i.test(message))
    return fail(
      `ssh was refused: ${message}`,
      "Load your key into ssh-agent; modelship cannot ask for a password.",
    );
  if (/host key verification failed/i.test(message))
    return fail("The host's key is not known.", "Connect once with `ssh` by hand to accept the host's key.");
  if (/docker: (command )?not found|dial-stdio/i.test(message))
    return fail(`The other side has no docker client: ${message}`, "Install the docker CLI there.");
  const said = messageOf(error) === "socket hang up" ? "the connection closed at once" : message;
  return fail(`ssh failed: ${said}`, "Try `ssh HOST docker version` by hand.");
}

function isTls(code: string | undefined, message: string): boolean {
  return (
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code ?? "") ||
    /certificate|\bssl\b|\btls\b/i.test(message)
  );
}
