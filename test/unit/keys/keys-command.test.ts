import { spawnSync } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packagePath } from "../../../src/package.js";
import { modelship } from "../../setup/cli.js";
import { folderWith } from "../../setup/folder.js";

const project = () => folderWith({ "modelship.yaml": "name: digits\n" });
const usual = ".modelship/keys/keys.json";
const keyForm = /^ms_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/;

describe("modelship keys", () => {
  it("create prints the key alone on stdout, and the rest on stderr", async () => {
    const cwd = await project();
    const { code, stdout, stderr } = await modelship(["keys", "create", "ci"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ms_\S+\n$/);
    expect(stdout.trim()).toMatch(keyForm);
    expect(stderr).toContain("never again");
    expect(stderr).toContain("X-API-Key: KEY");
    expect(stderr).not.toContain(stdout.trim());
    expect((await stat(join(cwd, usual))).mode & 0o777).toBe(0o644);
  });

  it("create writes to service.auth.keys_file, from any folder of the project, or to --file without a project", async () => {
    const cwd = await folderWith({
      "modelship.yaml": "name: digits\nservice:\n  auth:\n    keys_file: own/keys.json\n",
      "below/x": "",
    });
    await modelship(["keys", "create", "ci"], { cwd: join(cwd, "below") });
    expect(await readFile(join(cwd, "own/keys.json"), "utf8")).toContain('"name":"ci"');
    const elsewhere = await folderWith({});
    expect((await modelship(["keys", "create", "ci", "--file", "k.json"], { cwd: elsewhere })).code).toBe(0);
    expect(await readFile(join(elsewhere, "k.json"), "utf8")).toContain('"name":"ci"');
    const lost = await modelship(["keys", "create", "ci"], { cwd: elsewhere });
    expect(lost.code).toBe(2);
    expect(lost.stderr).toContain("--file");
  });

  it("speaks JSON, without the hash", async () => {
    const cwd = await project();
    const json = async (...args: string[]) =>
      JSON.parse((await modelship(["keys", ...args, "--json"], { cwd })).stdout) as Record<string, unknown>;
    const file = join(cwd, usual);
    const created = await json("create", "ci", "--rate", "60/minute", "--expires", "2099-01-01");
    expect(created).toMatchObject({
      schema: "modelship.keys-create/1",
      key: expect.stringMatching(keyForm),
      name: "ci",
      scopes: ["predict"],
      expires: "2099-01-01T00:00:00Z",
      rateLimit: { requests: 60, per: "minute" },
      maxConcurrency: null,
    });
    const { schema: _, key: __, file: shownFile, ...entry } = created;
    expect(shownFile).toBe(file);
    expect(await json("list")).toEqual({
      schema: "modelship.keys-list/1",
      file,
      keys: [{ ...entry, expired: false }],
    });
    expect(await json("revoke", "ci")).toEqual({
      schema: "modelship.keys-revoke/1",
      id: created.id,
      name: "ci",
      file,
    });
    expect(await json("list")).toMatchObject({ keys: [] });
  });

  it("list shows what each key may do, never its hash, and marks the expired", async () => {
    const cwd = await project();
    await modelship(["keys", "create", "ci", "--rate", "5/second", "--max-concurrency", "8"], { cwd });
    await modelship(["keys", "create", "ops", "--scope", "metrics", "--scope", "admin"], { cwd });
    await modelship(["keys", "create", "old", "--expires", "1d"], { cwd });
    const text = await readFile(join(cwd, usual), "utf8");
    await writeFile(join(cwd, usual), text.replace(/"expires":"[^"]+"/, '"expires":"2020-01-01T00:00:00Z"'));
    const { stdout } = await modelship(["keys", "list"], { cwd });
    const [heading, ci, ops, old] = stdout.split("\n");
    expect(heading).toMatch(/^NAME +ID +SCOPES +CREATED +EXPIRES +LIMIT$/);
    expect(ci).toMatch(/^ci +[a-z0-9]{10} +predict +\S+Z +never +5\/second, 8 at once$/);
    expect(ops).toMatch(/^ops +[a-z0-9]{10} +admin,metrics +\S+Z +never +-$/);
    expect(old).toContain("2020-01-01T00:00:00Z (expired)");
    expect(stdout).not.toMatch(/[0-9a-f]{16}/);
  });

  it("revoke takes a name or an id, and says what a running service does", async () => {
    const cwd = await project();
    const id = (await modelship(["keys", "create", "a"], { cwd })).stdout.split("_")[1] ?? "";
    await modelship(["keys", "create", "b"], { cwd });
    const byId = await modelship(["keys", "revoke", id], { cwd });
    expect(byId.stderr).toContain("within seconds");
    expect((await modelship(["keys", "revoke", "b"], { cwd })).code).toBe(0);
    expect(await readFile(join(cwd, usual), "utf8")).toBe('{"keys": []}\n');
    const again = await modelship(["keys", "revoke", "b"], { cwd });
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("modelship keys list");
  });

  it("revoke makes no file where there is none", async () => {
    const cwd = await project();
    expect((await modelship(["keys", "revoke", "b"], { cwd })).code).toBe(2);
    await expect(stat(join(cwd, ".modelship"))).rejects.toThrow("ENOENT");
  });

  it("two that create at once lose nothing", async () => {
    const cwd = await project();
    const ended = await Promise.all(["a", "b"].map((name) => modelship(["keys", "create", name], { cwd })));
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    const { stdout } = await modelship(["keys", "list"], { cwd });
    expect(stdout).toMatch(/^a /m);
    expect(stdout).toMatch(/^b /m);
  });

  it("a key in the place of its name is refused and not repeated", async () => {
    const cwd = await project();
    const key = (await modelship(["keys", "create", "a"], { cwd })).stdout.trim();
    const { code, stderr } = await modelship(["keys", "create", key], { cwd });
    expect(code).toBe(2);
    expect(stderr).not.toContain(key);
  });

  it("alone shows its help", async () => {
    const { code, stdout } = await modelship(["keys"], { cwd: await project() });
    expect(code).toBe(0);
    expect(stdout).toMatch(/create .*[\s\S]*list .*[\s\S]*revoke /);
  });
});

it("the service knows the keys that were made, and what they may do", async () => {
  const cwd = await project();
  const flags = [
    "--scope",
    "metrics",
    "--expires",
    "2099-01-01",
    "--rate",
    "60/minute",
    "--max-concurrency",
    "8",
  ];
  const plain = (await modelship(["keys", "create", "plain"], { cwd })).stdout.trim();
  const full = (await modelship(["keys", "create", "full", ...flags], { cwd })).stdout.trim();
  const program = `
import json, sys
from modelship_service.guard.key_list import parse_keys
from modelship_service.guard.keys import KeyRing
ring = KeyRing(parse_keys(open(sys.argv[1]).read()))
found = [ring.find(key.encode(), 0.0) for key in sys.argv[2:]]
print(json.dumps([key and [key.id, key.name, list(key.scopes), key.expires, key.rate_limit, key.max_concurrency] for key in found]))
`;
  const { stdout, stderr } = spawnSync(
    "python3",
    ["-c", program, join(cwd, usual), plain, full, `${full}x`],
    {
      encoding: "utf8",
      env: {
        ...process.env,
        PYTHONPATH: packagePath("templates/service/python"),
        PYTHONDONTWRITEBYTECODE: "1",
      },
    },
  );
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual([
    [plain.split("_")[1], "plain", ["predict"], null, null, null],
    [full.split("_")[1], "full", ["metrics"], Date.parse("2099-01-01") / 1000, [60, 60], 8],
    null,
  ]);
});
