import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { packagePath } from "../../../src/package.js";
import { folderWith } from "../../setup/folder.js";
import { hasPty, play } from "../../setup/pty.js";

const has = (shell: string) => spawnSync(shell, ["-c", "exit 0"]).status === 0;

function script(shell: string): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [packagePath("bin/modelship.js"), "completion", shell],
    { encoding: "utf8" },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

/** A folder with a file and a folder to complete. */
async function place(): Promise<string> {
  const folder = await folderWith({ "request one.json": "{}" });
  await mkdir(join(folder, "request-dir"));
  return folder;
}

describe.skipIf(!has("bash"))("bash", () => {
  let text = "";
  beforeAll(() => {
    text = script("bash");
  });

  /** What bash offers for these words, the last one being typed. */
  function offers(words: readonly string[], cwd: string): string[] {
    const program = `${text}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _modelship
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", program, "bash", ...words], {
      cwd,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    return stdout.split("\n").filter((line) => line !== "");
  }

  test.each([
    [["modelship", "bu"], ["build"]],
    [
      ["modelship", "p"],
      ["predict", "push", "pull", "ps"],
    ],
    [["modelship", "--js"], ["--json"]],
    [
      ["modelship", "--json", "=", ""],
      ["document", "events"],
    ],
    [["modelship", "--json", "=", "ev"], ["events"]],
    [["modelship", "--json", "ini"], ["init"]],
    [["modelship", "init", "--tem"], ["--template"]],
    [["modelship", "init", "--qu"], ["--quiet"]],
    [
      ["modelship", "completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["modelship", "help", "pus"], ["push"]],
    [["modelship", "sig"], ["sign"]],
    [["modelship", "verify", "--im"], ["--image-only"]],
    [
      ["modelship", "sign", "--key", "req"],
      ["request one.json", "request-dir"],
    ],
    [
      ["modelship", "keys", ""],
      ["create", "list", "revoke"],
    ],
    [["modelship", "keys", "create", "ci", "--sc"], ["--scope"]],
    [
      ["modelship", "keys", "create", "--scope", "predict", "--scope", ""],
      ["predict", "admin", "metrics"],
    ],
    [["modelship", "keys", "list", "--sc"], []],
    [
      ["modelship", "keys", "list", "--file", "req"],
      ["request one.json", "request-dir"],
    ],
    [["modelship", "predict", "create", "--sc"], []],
    [["modelship", "-C", "build", "ini"], ["init"]],
    [["modelship", "init", "--dir", "req"], ["request-dir"]],
    [["modelship", "init", "--dir", "=", "req"], ["request-dir"]],
    [
      ["modelship", "predict", "-i", "@req"],
      ["@request one.json", "@request-dir"],
    ],
    [
      ["modelship", "run", "--", "req"],
      ["request one.json", "request-dir"],
    ],
    [["modelship", "init", "--template", "onn"], ["onnx"]],
  ])("%j offers %j", async (words, expected) => {
    expect(offers(words, await place()).sort()).toEqual([...expected].sort());
  });

  test("the script is valid for shells that stop at every error", () => {
    const { status, stderr } = spawnSync("bash", ["--norc", "-euc", `${text}\ncomplete -p modelship`], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

describe.skipIf(!has("fish"))("fish", () => {
  test.each([
    ["modelship bu", ["build\tBuild the image"]],
    ["modelship completion ", ["bash", "fish", "zsh"]],
    ["modelship help pus", ["push"]],
    ["modelship keys ", ["create\tMake a key", "list\tList the keys", "revoke\tTake a key"]],
    ["modelship keys create --scope ", ["admin", "metrics", "predict"]],
    ["modelship keys list --sc", []],
    ["modelship init --dir req", ["request-dir/"]],
    ["modelship predict -i req", ["request one.json", "request-dir/"]],
  ])("%j offers %j", async (line, expected) => {
    const program = `${script("fish")}\ncomplete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", program], {
      cwd: await place(),
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const offered = stdout.split("\n").filter((entry) => entry !== "");
    expect(offered).toHaveLength(expected.length);
    for (const [index, entry] of offered.sort().entries())
      expect(entry.startsWith(expected[index] ?? "?")).toBe(true);
  });
});

describe.skipIf(!has("zsh") || !hasPty)("zsh", () => {
  test.each([
    ["modelship bui\t", "modelship build "],
    ["modelship comp\tfi\t", "modelship completion fish "],
    ["modelship init --temp\t", "modelship init --template"],
    ["modelship init --dir req\t", "modelship init --dir request-dir"],
    ["modelship keys rev\t", "modelship keys revoke "],
    ["modelship keys create --sc\tmet\t", "modelship keys create --scope=metrics"],
    ["modelship --json=ev\t", "modelship --json=events"],
  ])("%j becomes %j", async (keys, line) => {
    const cwd = await place();
    await writeFile(
      join(cwd, ".zshrc"),
      `${"PS1='ready> '; unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -u -D\n"}${script("zsh")}
show() { print -r -- "<$BUFFER>"; exit }
zle -N show; bindkey '^G' show
`,
    );
    const { screen } = await play(
      ["zsh", "-i"],
      [
        { wait: "ready> ", send: keys },
        { wait: line.slice(-4), send: "\u0007" },
      ],
      { cwd, env: { ZDOTDIR: cwd, TERM: "dumb" }, seconds: 8 },
    );
    expect(screen).toContain(`<${line}`);
  });
});
