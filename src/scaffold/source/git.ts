import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted, UserError } from "../../errors.js";
import { type ExecResult, exec } from "../../exec.js";
import { refused } from "./folder.js";
import { Allowance, limits } from "./limits.js";
import type { TemplateSpec } from "./spec.js";

type GitSpec = Extract<TemplateSpec, { kind: "git" }>;

/** What no setting of the repository or of this machine may change: no hooks, no submodules, no other protocol. */
const always = [
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "submodule.recurse=false",
  "-c",
  "core.fsmonitor=false",
];

/**
 * Fetches one commit and writes what of it the template is into `folder`, without running anything that comes with
 * it. Returns the commit.
 */
export async function fetchGit(
  spec: GitSpec,
  folder: string,
  { env, signal }: { env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined },
): Promise<string> {
  const place = `${spec.url}${spec.ref === undefined ? "" : `#${spec.ref}`}`;
  const repository = join(folder, "repository");
  const tree = join(folder, "tree");
  await mkdir(repository, { recursive: true });
  await mkdir(tree, { recursive: true });
  const git = async (args: readonly string[], isolated: boolean): Promise<string> => {
    const result = await exec("git", [...always, ...args], {
      cwd: repository,
      env: { ...env, ...(isolated ? noSettings : {}), ...quiet, GIT_ALLOW_PROTOCOL: spec.protocol },
      timeout: limits.seconds * 1000,
      ...(signal && { signal }),
    });
    throwIfAborted(signal);
    if (result.exitCode !== 0) throw failed(place, result);
    return result.stdout;
  };
  await git(["init", "--quiet", "--template=", "."], true);
  // The user's own settings reach the fetch alone, for credentials and proxies.
  const shallow = [
    "--quiet",
    "--depth",
    "1",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
  ];
  const target = "refs/modelship/template";
  await git(["fetch", ...shallow, "--end-of-options", spec.url, `${spec.ref ?? "HEAD"}:${target}`], false);
  const commit = await git(["rev-parse", "--verify", `${target}^{commit}`], true);
  const below = spec.path === "" ? "" : `:${spec.path}`;
  const listed = await git(["ls-tree", "-r", "-z", "--long", "--full-tree", `${commit}${below}`], true);
  checkListed(listed, place);
  // Without the user's settings there are no filters, so that writing the files runs no program.
  const asTheyAre = ["-c", "core.autocrlf=false", "-c", "core.symlinks=false", `--work-tree=${tree}`];
  await git([...asTheyAre, "read-tree", `${commit}${below}`], true);
  await git([...asTheyAre, "checkout-index", "--all", "--quiet", "--force"], true);
  return commit;
}

const noSettings = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_ATTR_NOSYSTEM: "1" };
const quiet = { GIT_TERMINAL_PROMPT: "0", GIT_LFS_SKIP_SMUDGE: "1", LC_ALL: "C" };

/** Of each file `MODE TYPE ID SIZE\tPATH`. */
function checkListed(listed: string, place: string): void {
  const allowance = new Allowance(place);
  for (const row of listed.split("\0").filter((one) => one !== "")) {
    const [, mode = "", type = "", size = "", path = ""] =
      /^(\d+) (\w+) \w+ +(-|\d+)\t([\s\S]*)$/.exec(row) ?? [];
    if (type === "commit") throw refused(place, path, "it is a submodule");
    if (type !== "blob" || !mode.startsWith("100")) throw refused(place, path, "it is a link");
    allowance.take(path, Number(size));
  }
}

function failed(place: string, result: ExecResult): UserError {
  if (result.missing) {
    return new UserError("template", `${place} cannot be fetched: git is not installed.`, {
      hint: "Install git, or download the template and name its folder: --template ./folder.",
    });
  }
  const said = result.stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const why = said.find((line) => /^(fatal|error):/.test(line)) ?? said.at(-1);
  return new UserError("template", `${place} cannot be fetched.`, {
    why: result.exitCode === undefined ? `It took more than ${limits.seconds} s.` : why,
    hint: "Check the address, the branch or tag, and that you may read it.",
  });
}
