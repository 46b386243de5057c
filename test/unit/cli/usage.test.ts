import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { packagePath, packageVersion } from "../../../src/package.js";
import { folderWith } from "../../setup/folder.js";
import { start } from "./start.js";

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return start(args, { cwd: await folderWith({}), env }).ended;
}

test("--version prints the version alone", async () => {
  expect(await run(["--version"])).toMatchObject({ code: 0, stdout: `${packageVersion()}\n`, stderr: "" });
});

test.each([[[]], [["--help"]], [["-h"]], [["help"]], [["--debug"]]])(
  "modelship %j prints the help on stdout",
  async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: modelship <command> [options]");
    expect(stdout).toContain("modelship push registry.example/you/digits");
    expect(stderr).toBe("");
  },
);

test.each([[["help", "init"]], [["init", "--help"]], [["--quiet", "init", "-h"]]])(
  "modelship %j prints the help of the command, global options too",
  async (args) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: modelship init");
    expect(stdout).toContain("--template <name>");
    expect(stdout).toContain("--json [format]");
  },
);

describe("what cannot be meant is a usage error with the nearest thing that can", () => {
  test.each([
    [["biuld"], "Unknown command 'biuld'.", "Did you mean build? See modelship --help."],
    [["--vresion"], "Unknown option '--vresion'.", "Did you mean --version? See modelship --help."],
    [
      ["init", "--tmplate", "x"],
      "Unknown option '--tmplate'.",
      "Did you mean --template? See modelship init --help.",
    ],
    [["init", "--qiet"], "Unknown option '--qiet'.", "Did you mean --quiet? See modelship init --help."],
    [["init", "a", "b"], "Too many arguments for 'init'.", "See modelship init --help."],
    [["completion"], "Missing required argument 'shell'.", "See modelship completion --help."],
    [["completion", "csh"], "Allowed choices are bash, zsh, fish.", "See modelship completion --help."],
    [["help", "biuld"], "Allowed choices are init, templates", "See modelship help --help."],
    [["--json=yaml", "init"], "Allowed choices are document, events.", "See modelship --help."],
    [["init", "--template"], "argument missing", "See modelship init --help."],
  ])("%j", async (args, message, hint) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`hint: ${hint}`);
    expect(stderr).not.toContain("error: error:");
  });
});

test("an error of the command line is told as it was asked for", async () => {
  const { code, stdout } = await run(["--json", "--bogus"]);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ schema: "modelship.error/1", error: { code: "usage" } });
});

test.each([[["--json", "init", "x", "-t", "nothing"]], [["init", "x", "-t", "nothing", "--json"]]])(
  "program options work before and after the command: %j",
  async (args) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "template" } });
  },
);

test("--debug shows the stack", async () => {
  const { stderr } = await run(["init", "x", "-t", "nothing", "--debug"]);
  expect(stderr).toMatch(/UserError: There is no template "nothing"\.\n\s+at /);
});

test.skipIf(process.platform === "win32")("a reader that leaves early is no error", () => {
  const bin = packagePath("bin/modelship.js");
  const script = `"${process.execPath}" "${bin}" completion bash | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("0\n");
});
