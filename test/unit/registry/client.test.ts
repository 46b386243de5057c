import { afterEach, describe, expect, it } from "vitest";
import type { Credential } from "../../../src/docker/auth/credential.js";
import { UserError } from "../../../src/errors.js";
import { RegistryClient, type RegistryClientOptions } from "../../../src/registry/client.js";
import { digestOf } from "../../../src/registry/manifest.js";
import {
  basic,
  type FakeServer,
  type Handler,
  json,
  manifestBody,
  problem,
  registryHandler,
  serve,
} from "./fake-registry.js";

const canary = "canary-7f3a9c";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(handler: Handler, options?: { tls?: boolean }): Promise<FakeServer> {
  const server = await serve(handler, options);
  cleanups.push(server.close);
  return server;
}

function clientOf(registry: string, credential?: Credential, options: RegistryClientOptions = {}) {
  const client = new RegistryClient(registry, {
    credentials: async () => credential,
    env: {},
    backoff: 1,
    ...options,
  });
  cleanups.push(() => client.close());
  return client;
}

const user: Credential = { kind: "basic", username: "ada", password: canary };
const image = { repository: "acme/digits", tag: "1" };

/** Lets in only what `accepts`, and asks for `challenge` otherwise. */
function guarded(
  challenge: string,
  accepts: (authorization: string) => boolean,
  inner = registryHandler(),
): Handler {
  return (request, response, raw) => {
    if (request.authorization !== undefined && accepts(request.authorization))
      return inner(request, response, raw);
    return problem(response, 401, "UNAUTHORIZED", { "www-authenticate": challenge });
  };
}

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UserError)) throw new Error(`no UserError: ${error}`);
  expect(textsOf(error)).not.toContain(canary);
  expect(textsOf(error)).not.toContain(Buffer.from(`ada:${canary}`).toString("base64"));
  return error;
}

/** All that --debug could ever print of an error. */
function textsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.stack, JSON.stringify(error), error.cause ? textsOf(error.cause) : ""].join("\n");
}

describe("manifests", () => {
  it("reads one, and proves its digest", async () => {
    const { host } = await start(registryHandler());
    const manifest = await clientOf(host).manifest(image);
    expect(manifest.digest).toBe(digestOf(Buffer.from(manifestBody)));
    expect(manifest.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    expect(manifest.body.toString()).toBe(manifestBody);
    expect(manifest.size).toBe(manifestBody.length);
  });

  it("describes one without reading it", async () => {
    const { host } = await start(registryHandler());
    const client = clientOf(host);
    expect((await client.describe(image))?.digest).toBe(digestOf(Buffer.from(manifestBody)));
    expect(await client.describe({ repository: "acme/digits", tag: "none" })).toBeUndefined();
  });

  it("puts one under another tag, and deletes it", async () => {
    const server = await start(registryHandler());
    const client = clientOf(server.host);
    const { mediaType, body, digest } = await client.manifest(image);
    const put = await client.putManifest({ ...image, tag: "latest" }, mediaType, body);
    expect(put.digest).toBe(digest);
    expect((await client.manifest({ ...image, tag: "latest" })).digest).toBe(digest);
    await client.putManifest({ repository: "acme/digits", digest }, mediaType, body);
    await client.deleteManifest({ ...image, tag: "latest" });
    expect(server.seen.at(-1)).toMatchObject({
      method: "DELETE",
      url: `/v2/acme/digits/manifests/${digest}`,
    });
  });

  it.each([
    ["the header names another", { ...image }, digestOf(Buffer.from("other"))],
    ["another was asked for", { repository: "acme/digits", digest: digestOf(Buffer.from("other")) }, ""],
  ])("refuses content when %s", async (_, name, header) => {
    const { host } = await start((_request, response) => {
      response.writeHead(200, { ...(header && { "docker-content-digest": header }) });
      response.end(manifestBody);
    });
    const error = await failure(clientOf(host).manifest(name));
    expect(error.code).toBe("registry_failed");
    expect(error.why).toContain("not sha256:");
  });

  it.each([
    ["NAME_UNKNOWN", /^The repository .*acme\/digits does not exist/],
    ["MANIFEST_UNKNOWN", /acme\/digits:1 does not exist/],
  ])("tells an unknown repository from an unknown tag: %s", async (code, message) => {
    const { host } = await start(({ url }, response) =>
      url === "/v2/" ? json(response, 200, {}) : problem(response, 404, code),
    );
    const error = await failure(clientOf(host).manifest(image));
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(1);
  });
});

describe("logins", () => {
  it("shows Basic credentials when asked, and from then on without being asked", async () => {
    const server = await start(guarded('Basic realm="r"', (header) => header === basic("ada", canary)));
    const client = clientOf(server.host, user);
    await client.manifest(image);
    const before = server.seen.length;
    await client.manifest(image);
    expect(server.seen.length).toBe(before + 1);
  });

  it("gets a token for the scope, once, with the user's password", async () => {
    const tokens = await start((request, response) =>
      request.authorization === basic("ada", canary)
        ? json(response, 200, { token: "t-1", expires_in: 300 })
        : problem(response, 401, "UNAUTHORIZED"),
    );
    const server = await start(
      guarded(
        `Bearer realm="${tokens.origin}/token",service="fake, registry"`,
        (header) => header === "Bearer t-1",
      ),
    );
    const client = clientOf(server.host, user);
    await client.manifest(image);
    await client.describe(image);
    expect(tokens.seen).toHaveLength(1);
    const asked = new URL(tokens.seen[0]?.url ?? "", tokens.origin).searchParams;
    expect(asked.get("scope")).toBe("repository:acme/digits:pull");
    expect(asked.get("service")).toBe("fake, registry");
  });

  it("gets an anonymous token where there is no login", async () => {
    const tokens = await start((_request, response) => json(response, 200, { access_token: "anonymous" }));
    const server = await start(
      guarded(`Bearer realm="${tokens.origin}/token"`, (header) => header === "Bearer anonymous"),
    );
    await clientOf(server.host).manifest(image);
    expect(tokens.seen[0]?.authorization).toBeUndefined();
  });

  it("exchanges an identity token", async () => {
    const tokens = await start((request, response) =>
      request.method === "POST" && request.body.includes(`refresh_token=${canary}`)
        ? json(response, 200, { access_token: "t-2" })
        : problem(response, 401, "UNAUTHORIZED"),
    );
    const server = await start(
      guarded(`Bearer realm="${tokens.origin}/t",service="s"`, (h) => h === "Bearer t-2"),
    );
    await clientOf(server.host, { kind: "identity", token: canary }).manifest(image);
    const form = new URLSearchParams(tokens.seen[0]?.body);
    expect(form.get("grant_type")).toBe("refresh_token");
    expect(form.get("scope")).toBe("repository:acme/digits:pull");
  });

  it("falls back to GET where a token server does not know that exchange", async () => {
    const tokens = await start((request, response) =>
      request.method === "POST"
        ? problem(response, 404, "NOT_FOUND")
        : request.authorization === basic("<token>", canary)
          ? json(response, 200, { token: "t-3" })
          : problem(response, 401, "UNAUTHORIZED"),
    );
    const server = await start(guarded(`Bearer realm="${tokens.origin}/t"`, (h) => h === "Bearer t-3"));
    await clientOf(server.host, { kind: "identity", token: canary }).manifest(image);
  });

  it("shows a ready token as it is", async () => {
    const server = await start(
      guarded('Bearer realm="http://127.0.0.1:1/"', (h) => h === `Bearer ${canary}`),
    );
    await clientOf(server.host, { kind: "registry", token: canary }).manifest(image);
  });

  it("renews a token that ended early", async () => {
    let current = 0;
    const tokens = await start((_request, response) =>
      json(response, 200, { token: `t-${++current}`, expires_in: 900 }),
    );
    const server = await start(
      guarded(`Bearer realm="${tokens.origin}/t"`, (header) => header === `Bearer t-${current}`),
    );
    const client = clientOf(server.host, user);
    await client.manifest(image);
    current += 10;
    await client.manifest(image);
    expect(tokens.seen).toHaveLength(2);
  });

  it.each([
    ["nobody", undefined, "authentication", /needs a login/],
    ["a wrong password", { ...user, username: "eve" }, "authentication", /does not accept this login/],
  ])("explains a refusal to %s", async (_, credential, code, message) => {
    const server = await start(guarded('Basic realm="r"', (header) => header === basic("ada", canary)));
    const error = await failure(clientOf(server.host, credential).manifest(image));
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(4);
    expect(error.message).toMatch(message);
    expect(error.hint).toContain(`modelship login ${server.host}`);
  });

  it("explains a token server's refusal", async () => {
    const tokens = await start((request, response) =>
      problem(response, 401, `NO_${request.authorization?.slice(6)}_${canary}`),
    );
    const server = await start(guarded(`Bearer realm="${tokens.origin}/t"`, () => false));
    const error = await failure(clientOf(server.host, user).verifyLogin(user));
    expect(error.code).toBe("authentication");
  });

  it("explains what a login may not do", async () => {
    const server = await start(({ url }, response) =>
      url === "/v2/" ? json(response, 200, {}) : problem(response, 403, "DENIED"),
    );
    const error = await failure(clientOf(server.host, user).putManifest(image, "application/json", "{}"));
    expect(error.code).toBe("denied");
    expect(error.exitCode).toBe(4);
    expect(error.why).toContain("denied");
  });

  it("counts a token without the right as denied, and one of nobody as a missing login", async () => {
    const tokens = await start((_request, response) => json(response, 200, { token: "weak" }));
    const server = await start(guarded(`Bearer realm="${tokens.origin}/t"`, () => false));
    expect((await failure(clientOf(server.host, user).manifest(image))).code).toBe("denied");
    expect((await failure(clientOf(server.host).manifest(image))).code).toBe("authentication");
  });

  it("proves a login, and says when nobody asked for one", async () => {
    const closed = await start(guarded('Basic realm="r"', (header) => header === basic("ada", canary)));
    expect(await clientOf(closed.host).verifyLogin(user)).toEqual({ asked: true });
    const open = await start(registryHandler());
    expect(await clientOf(open.host).verifyLogin(user)).toEqual({ asked: false });
  });

  it("does not show a registry's echo of a secret", async () => {
    const server = await start(({ url, authorization }, response) =>
      url === "/v2/"
        ? json(response, 200, {})
        : authorization === undefined
          ? problem(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="r"' })
          : json(response, 400, {
              errors: [{ code: "BAD", message: `bad ${authorization} \u001b[31m${canary}` }],
            }),
    );
    const error = await failure(clientOf(server.host, user).manifest(image));
    expect(error.why).toContain("***");
    expect(error.why).not.toContain("\u001b");
  });
});

describe("redirects", () => {
  it("carry no credentials to another origin", async () => {
    const store = await start((_request, response) => {
      response.writeHead(200);
      response.end(manifestBody);
    });
    const server = await start(
      guarded(
        'Basic realm="r"',
        () => true,
        (_request, response) => {
          response.writeHead(307, { location: `${store.origin}/blob?signed=1` });
          response.end();
        },
      ),
    );
    await clientOf(server.host, user).manifest(image);
    expect(store.seen).toMatchObject([{ url: "/blob?signed=1", authorization: undefined }]);
  });

  it("are not followed without end", async () => {
    const server = await start(({ url }, response) => {
      if (url === "/v2/") return json(response, 200, {});
      response.writeHead(302, { location: url });
      response.end();
    });
    expect((await failure(clientOf(server.host).manifest(image))).code).toBe("registry_failed");
    expect(server.seen.length).toBeLessThan(10);
  });
});

describe("bad days", () => {
  it.each([429, 500, 503])("tries again after HTTP %i", async (status) => {
    let left = 2;
    const inner = registryHandler();
    const retries: string[] = [];
    const server = await start((request, response, raw) => {
      if (request.url === "/v2/" || left-- <= 0) return inner(request, response, raw);
      return problem(response, status, "BUSY", { "retry-after": "0" });
    });
    const client = clientOf(server.host, undefined, { onRetry: ({ reason }) => retries.push(reason) });
    await client.manifest(image);
    expect(retries).toEqual([`HTTP ${status}`, `HTTP ${status}`]);
  });

  it.each([
    [429, "7200", /limits how often/, /7200 seconds/],
    [500, "0", /failed with HTTP 500/, /later/],
  ])("gives up on HTTP %i and says so", async (status, after, message, hint) => {
    const server = await start(({ url }, response) =>
      url === "/v2/" ? json(response, 200, {}) : problem(response, status, "BUSY", { "retry-after": after }),
    );
    const error = await failure(clientOf(server.host).manifest(image));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it("tries again when the connection is cut", async () => {
    let left = 1;
    const inner = registryHandler();
    const server = await start((request, response, raw) => {
      if (request.url === "/v2/" || left-- <= 0) return inner(request, response, raw);
      return raw.socket.destroy();
    });
    await clientOf(server.host).manifest(image);
  });

  it("says that nothing listens", async () => {
    const server = await serve(registryHandler());
    await server.close();
    const error = await failure(clientOf(server.host).manifest(image));
    expect(error.code).toBe("registry_failed");
    expect(error.why).toMatch(/Nothing listens/);
  });

  it("says that a name is unknown", async () => {
    const error = await failure(clientOf("registry.invalid").manifest(image));
    expect(error.why).toMatch(/not known to DNS/);
  });

  it("says that there was no answer in time", async () => {
    const server = await start(({ url }, response) => {
      if (url === "/v2/") json(response, 200, {});
    });
    const error = await failure(clientOf(server.host, undefined, { timeout: 50 }).manifest(image));
    expect(error.why).toMatch(/in time/);
  });

  it("stops when told to", async () => {
    const abort = new AbortController();
    const server = await start(({ url }, response) => {
      if (url === "/v2/") json(response, 200, {});
      else abort.abort();
    });
    const client = clientOf(server.host, undefined, { signal: abort.signal });
    expect((await failure(client.manifest(image))).code).toBe("interrupted");
  });

  it.each([200, 404])("knows a web page (HTTP %i) from a registry", async (status) => {
    const server = await start((_request, response) => {
      response.writeHead(status, { "content-type": "text/html; charset=utf-8" });
      response.end("<html>Sign in</html>");
    });
    const error = await failure(clientOf(server.host).ping());
    expect(error.message).toMatch(/not as a registry does/);
    expect(error.why).toMatch(/web page/);
  });

  it("knows some other service from a registry", async () => {
    const server = await start((_request, response) => problem(response, 404, "x"));
    expect((await failure(clientOf(server.host).ping())).message).toMatch(/not as a registry does/);
  });
});
