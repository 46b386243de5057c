import { describe, expect, test } from "vitest";
import { engineError, engineMessage } from "../../../src/docker/errors.js";
import { StreamProtocolError } from "../../../src/docker/json-lines.js";
import { registryError, registryFailure } from "../../../src/docker/registry-failure.js";
import { UserError } from "../../../src/errors.js";

function http(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message} `), { statusCode });
}

function system(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

describe("an engine's error in the user's terms", () => {
  test.each([
    [system("ECONNREFUSED", "connect ECONNREFUSED /x.sock"), "engine_unreachable"],
    [system("ENOENT"), "engine_unreachable"],
    [system("ECONNRESET", "aborted"), "engine_unreachable"],
    [new Error("socket hang up"), "engine_unreachable"],
    [system("ERR_STREAM_PREMATURE_CLOSE", "Premature close"), "engine_unreachable"],
    [new StreamProtocolError("not JSON"), "engine_unreachable"],
    [system("EACCES"), "engine_permission"],
    [Object.assign(new Error("The operation was aborted"), { name: "AbortError" }), "interrupted"],
    [http(404, "No such image: x:1"), "image_not_found"],
    [http(404, "No such container: x"), "container_not_found"],
    [
      http(409, 'Conflict. The container name "/x" is already in use by container "abc".'),
      "container_failed",
    ],
    [http(500, "write /var/lib/docker/tmp/x: no space left on device"), "disk_full"],
    [
      http(500, "driver failed: Bind for 127.0.0.1:8080 failed: port is already allocated"),
      "container_failed",
    ],
    [
      http(400, "client version 1.99 is too new. Maximum supported API version is 1.41"),
      "engine_unsupported",
    ],
    [http(403, "authorization denied by plugin"), "engine_permission"],
    [http(500, "something else"), "failed"],
  ])("%s", (error, code) => {
    expect(engineError(error, "doing it").code).toBe(code);
  });

  test("says what was being done, and keeps the cause", () => {
    const cause = system("ECONNRESET", "aborted");
    const error = engineError(cause, "building the image");
    expect(error.message).toBe("The engine stopped answering while building the image.");
    expect(error.cause).toBe(cause);
    expect(engineError(http(500, "Bind for 0.0.0.0:80 failed: port is already allocated"), "x").message).toBe(
      "The port 0.0.0.0:80 is in use already.",
    );
    const own = new UserError("input", "x");
    expect(engineError(own, "doing it")).toBe(own);
    expect(engineMessage(http(500, "plain words"))).toBe("plain words");
  });
});

describe("why a registry said no", () => {
  test.each([
    ["no basic auth credentials", "authentication"],
    ["unauthorized: authentication required", "authentication"],
    ["denied: requested access to the resource is denied", "denied"],
    ["pull access denied for x, repository does not exist or may require 'docker login'", "denied"],
    ["server message: insufficient_scope: authorization failed", "denied"],
    ["manifest for x:1 not found: manifest unknown: manifest unknown", "not-found"],
    ['Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host', "network"],
    ['Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused', "network"],
    ['Get "https://r/v2/": x509: certificate signed by unknown authority', "tls"],
    ["http: server gave HTTP response to HTTPS client", "tls"],
    ["proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused", "proxy"],
    ["toomanyrequests: You have reached your pull rate limit", "rate-limit"],
    ["received unexpected HTTP status: 500 Internal Server Error", undefined],
  ])("%s", (message, failure) => {
    expect(registryFailure(message)).toBe(failure);
  });

  test("the error names the image, the host and what to do", () => {
    const error = registryError("no basic auth credentials", { image: "ghcr.io/a/b:1", code: "push_failed" });
    expect(error.code).toBe("authentication");
    expect(error.message).toContain("ghcr.io/a/b:1 could not be pushed");
    expect(error.hint).toContain("modelship login ghcr.io");
    const full = registryError("no space left on device", { image: "x", code: "pull_failed" });
    expect(full.code).toBe("disk_full");
  });
});
