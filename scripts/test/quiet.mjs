// A test runner's output in a file: shown only when something failed.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { say } from "../setup/say.mjs";

const patience = 25 * 60_000;

/** Calls `work` with a folder for reports; the folder is gone afterwards. */
export async function withReports(work) {
  const folder = mkdtempSync(join(tmpdir(), "modelship-test-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const withoutPasses = (text) =>
  text
    .split("\n")
    .filter((row) => !/^\S*\s*\S*✓/.test(row))
    .join("\n");

/** Runs to the end and returns the exit code; a runner that hangs is ended and counts as failed. */
export function runQuietly(command, args, { folder, env, cwd }) {
  const path = join(folder, "output.log");
  const log = openSync(path, "w");
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", log, log], timeout: patience });
    closeSync(log);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code !== 0) say(withoutPasses(readFileSync(path, "utf8")));
      if (signal) say(`${command} was ended by ${signal} (at most ${patience / 60_000} minutes)`);
      resolve(code ?? 1);
    });
  });
}
