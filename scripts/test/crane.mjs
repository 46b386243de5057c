import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { install, isDebianRoot } from "../setup/apt.mjs";
import { SetupError, step } from "../setup/say.mjs";
import { ensureDir, statePath } from "../setup/state.mjs";

const module = "github.com/google/go-containerregistry/cmd/crane@v0.20.6";
const onPath = (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

/** The path of crane, which brings go-containerregistry's registry along; built with Go, which takes a minute or two. */
export async function ensureCrane() {
  const folder = statePath("bin");
  const crane = join(folder, "crane");
  if (existsSync(crane)) return crane;
  if (!onPath("go") && isDebianRoot()) await install("golang-go");
  if (!onPath("go")) throw new SetupError("go-containerregistry needs Go to be installed.");
  await step("crane, built from source", async () => {
    ensureDir(folder);
    const env = { ...process.env, GOBIN: folder };
    const { status, stderr } = spawnSync("go", ["install", module], { env, encoding: "utf8" });
    if (status !== 0) throw new SetupError(`go install failed: ${stderr.trim().split("\n").pop()}`);
  });
  return crane;
}
