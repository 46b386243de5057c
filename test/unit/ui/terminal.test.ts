import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { packagePath } from "../../../src/package.js";
import type { ReporterEvent } from "../../../src/reporter.js";
import { folderWith } from "../../setup/folder.js";
import { hasPty, play } from "../../setup/pty.js";

/** Plays events to the compiled renderer on a real terminal; a number is a pause in milliseconds. */
async function show(
  events: readonly (ReporterEvent | number)[],
  options: { ending?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const url = (path: string) => JSON.stringify(pathToFileURL(packagePath(`dist/ui/${path}`)).href);
  const cwd = await folderWith({
    "show.mjs": `
import { createOutput } from ${url("output.js")};
const { argv, env, stdin, stdout, stderr } = process;
const output = createOutput({ args: [], env, stdin, stdout, stderr });
for (const event of JSON.parse(argv[2])) {
  if (typeof event === "number") await new Promise((resolve) => setTimeout(resolve, event));
  else output.report(event);
}
${options.ending ?? 'output.result("build", { json: {}, text: "the result" });'}
`,
  });
  const { code, screen } = await play([process.execPath, "show.mjs", JSON.stringify(events)], [], {
    cwd,
    ...(options.env && { env: options.env }),
  });
  return { code, screen };
}

/** The lines that stay: every live one was rubbed out before something else was written. */
function staying(screen: string): string[] {
  const rows: string[] = [];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is read
  for (const [token] of screen.matchAll(/\u001b\[[?\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g)) {
    if (token === "\n") row += 1;
    else if (token.startsWith("\u001b") && token.endsWith("A")) row -= Number(token.slice(2, -1) || 1);
    else if (token.startsWith("\u001b") && token.endsWith("K")) rows[row] = "";
    else if (!token.startsWith("\u001b") && token !== "\r") rows[row] = (rows[row] ?? "") + token;
  }
  return Array.from(rows, (text) => text ?? "").filter((text) => text !== "");
}

describe.skipIf(!hasPty)("on a terminal", () => {
  test("running tasks are live with real numbers, finished ones are a line each", async () => {
    const { code, screen } = await show([
      { type: "note", message: "hello" },
      { type: "task-started", id: "a", title: "Pushing layers" },
      { type: "task-progress", id: "a", current: 43_000_000, total: 120_000_000, unit: "bytes" },
      { type: "task-output", id: "a", line: "the newest line" },
      400,
      { type: "task-ended", id: "a", outcome: "done", seconds: 12, detail: "3 layers" },
      { type: "task-started", id: "b", title: "Base image" },
      { type: "task-ended", id: "b", outcome: "cached" },
    ]);
    expect(code).toBe(0);
    const text = stripVTControlCharacters(screen);
    expect(text).toContain("Pushing layers  43 MB of 120 MB  35%  0.");
    expect(text).toContain("the newest line");
    expect(staying(screen)).toEqual([
      "hello",
      "✔ Pushing layers  3 layers  12s",
      "✔ Base image  cached",
      "the result",
    ]);
    expect(screen.lastIndexOf("\u001b[?25h"), "the cursor is back").toBeGreaterThan(
      screen.lastIndexOf("\u001b[?25l"),
    );
  });

  test("what a failed task printed is left to the error that follows", async () => {
    const { screen } = await show(
      [
        { type: "task-started", id: "a", title: "Installing" },
        { type: "task-output", id: "a", line: "ERROR: no matching distribution" },
        300,
        { type: "task-ended", id: "a", outcome: "failed", seconds: 2 },
      ],
      { ending: 'process.exitCode = output.error(new Error("odd"));' },
    );
    expect(staying(screen).slice(0, 2)).toEqual([
      "✖ Installing  2.0s",
      "error: This is a defect in modelship: odd",
    ]);
  });

  test("an abrupt end brings the cursor back", async () => {
    const { code, screen } = await show([{ type: "task-started", id: "a", title: "Working" }, 400], {
      ending: "process.exit(130);",
    });
    expect(code).toBe(130);
    expect(screen).toContain("\u001b[?25l");
    expect(screen.lastIndexOf("\u001b[?25h")).toBeGreaterThan(screen.lastIndexOf("\u001b[?25l"));
  });

  test("NO_COLOR leaves movement but no colour; CI leaves neither", async () => {
    const events: (ReporterEvent | number)[] = [
      { type: "task-started", id: "a", title: "Working" },
      300,
      { type: "task-ended", id: "a", outcome: "done", seconds: 1 },
    ];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const colours = /\u001b\[\d+(;\d+)*m/;
    expect((await show(events)).screen).toMatch(colours);
    expect((await show(events, { env: { NO_COLOR: "1" } })).screen).not.toMatch(colours);
    const ci = await show(events, { env: { CI: "true" } });
    expect(staying(ci.screen)).toEqual(["Working: done in 1.0s", "the result"]);
    expect(ci.screen).not.toContain("\u001b[?25l");
  });
});
