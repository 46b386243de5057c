import { expect, it } from "vitest";
import { modelship } from "../setup/cli.js";
import { folderWith } from "../setup/folder.js";

const registry = process.env.MODELSHIP_TEST_AUTH_REGISTRY ?? "";

it("--debug names every request, and nothing secret in it", async () => {
  const cwd = await folderWith({});
  const engine = await modelship(["ps", "--debug"], { cwd });
  expect(engine.stderr).toMatch(/^debug: GET \S+ (\/v[\d.]+)?\/containers\/json 200$/m);
  const login = await modelship(["login", registry, "-u", "someone", "--password-stdin", "--debug"], {
    cwd,
    env: { DOCKER_CONFIG: cwd },
    input: "canary-3c9a",
  });
  expect(login.code).toBe(4);
  expect(login.stderr).toMatch(new RegExp(`^debug: GET http://${registry} /v2/ 401$`, "m"));
  expect(login.stderr).not.toMatch(/canary-3c9a|Authorization/i);
  expect((await modelship(["ps"], { cwd })).stderr).not.toContain("debug:");
});
