import { afterEach, beforeEach, expect, it } from "vitest";
import { UserError } from "../../../src/errors.js";
import { login, logout } from "../../../src/registry/login.js";
import { type Home, makeHome } from "../docker-auth/fixture.js";
import { basic, type FakeServer, problem, registryHandler, serve } from "./fake-registry.js";

const canary = "canary-2d4e";
let home: Home;
let server: FakeServer;
beforeEach(async () => {
  home = await makeHome();
  const inner = registryHandler();
  server = await serve((request, response, raw) =>
    request.authorization === basic("ada", canary)
      ? inner(request, response, raw)
      : problem(response, 401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="fake"' }),
  );
});
afterEach(async () => {
  await server.close();
  await home.remove();
});

const options = (password: string) => ({
  registry: `http://${server.host}/`,
  username: "ada",
  password,
  env: home.env,
  home: home.path,
  platform: "linux" as const,
});

it("proves a login before it is kept, and forgets it again", async () => {
  const path = `${home.path}/.docker/config.json`;
  expect(await login(options(canary))).toEqual({ registry: server.host, stored: path, verified: true });
  expect(Object.keys(JSON.parse(await home.read(".docker/config.json")).auths)).toEqual([server.host]);
  const out = { registry: server.host, env: {}, home: home.path };
  expect(await logout(out)).toEqual({ registry: server.host, removed: [path] });
  expect(await logout(out)).toEqual({ registry: server.host, removed: [] });
});

it("keeps nothing of a wrong one", async () => {
  const error = await login(options("wrong-canary")).catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error("no UserError");
  expect(error.code).toBe("authentication");
  expect([error.stack, error.why, error.hint, String(error.cause)].join("\n")).not.toContain("wrong-canary");
  await expect(home.read(".docker/config.json")).rejects.toThrow(/ENOENT/);
});

it.each([{ username: "" }, { password: "" }, { username: "a:b" }])(
  "refuses %j before asking anyone",
  async (part) => {
    await expect(login({ ...options(canary), ...part })).rejects.toMatchObject({ code: "usage" });
    expect(server.seen).toEqual([]);
  },
);
