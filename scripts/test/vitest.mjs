import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup/state.mjs";
import { runQuietly, withReports } from "./quiet.mjs";

export function runVitest(project, env, options = []) {
  return withReports(async (folder) => {
    const report = join(folder, "report.json");
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const reporters = [...options, "--reporter=verbose", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runQuietly(process.execPath, [vitest, "run", "--project", project, ...reporters], {
      folder,
      env,
      cwd: root,
    });
    return count(existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined, code);
  });
}

/** A file that cannot be loaded has no tests to fail, and an error outside of any test only shows in the exit code. */
function count(report, code) {
  const broken = report?.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failed = (report?.numFailedTests ?? 0) + (broken?.length ?? 0);
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0),
  };
}
