import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { folderWith } from "../../setup/folder.js";
import { type Started, start } from "./start.js";

/** Starts the compiled command line with a `completion` command that does what `body` says. */
async function startWith(body: string): Promise<Started> {
  const command = `export default (command, run) =>
    command.argument("[shell]").action(run(async (context) => { ${body} }));`;
  const folder = await folderWith({
    "hook.mjs": 'import { register } from "node:module";\nregister("./loader.mjs", import.meta.url);\n',
    "loader.mjs": `export function load(url, context, next) {
      if (!url.endsWith("/dist/commands/completion.js")) return next(url, context);
      return { format: "module", shortCircuit: true, source: ${JSON.stringify(command)} };
    }`,
  });
  const hook = pathToFileURL(join(folder, "hook.mjs")).href;
  return start(["completion"], { cwd: folder, node: ["--import", hook] });
}

const untilAborted = `
  context.stream("ready");
  await new Promise((resolve) => {
    const timer = setInterval(() => {}, 1000);
    context.signal.addEventListener("abort", () => { clearInterval(timer); resolve(); });
  });`;

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s lets the command clean up and ends with 130",
  async (signal) => {
    const running = await startWith(
      `${untilAborted} context.stream("cleaned up"); throw new Error("aborted");`,
    );
    await running.said("ready");
    running.kill(signal);
    expect(await running.ended).toMatchObject({
      code: 130,
      stdout: "ready\ncleaned up\n",
      stderr: "Interrupted.\n",
    });
  },
);

const stubborn = `context.stream("ready"); await new Promise(() => setInterval(() => {}, 1000));`;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("a second Ctrl-C leaves at once", async () => {
  const running = await startWith(stubborn);
  await running.said("ready");
  running.kill("SIGINT");
  await pause(600);
  running.kill("SIGINT");
  expect((await running.ended).code).toBe(130);
});

test("an echo of the first Ctrl-C, as npx sends it, does not cut the clean-up short", async () => {
  const running = await startWith(
    `${untilAborted} await new Promise((resolve) => setTimeout(resolve, 400)); context.stream("cleaned up"); throw new Error("aborted");`,
  );
  await running.said("ready");
  running.kill("SIGINT");
  await pause(50);
  running.kill("SIGINT");
  expect(await running.ended).toMatchObject({ code: 130, stdout: "ready\ncleaned up\n" });
});

test("a command that takes its time to stop says so", async () => {
  const running = await startWith(
    `${untilAborted} await new Promise((resolve) => setTimeout(resolve, 1500)); throw new Error("aborted");`,
  );
  await running.said("ready");
  running.kill("SIGINT");
  expect((await running.ended).stderr).toBe("Stopping. Ctrl-C again leaves at once.\nInterrupted.\n");
});

test("a finished command does not wait for handles that something left open", async () => {
  const running = await startWith(
    `setInterval(() => {}, 1000); return { json: {}, text: "x".repeat(1_000_000) };`,
  );
  const { code, stdout, seconds } = await running.ended;
  expect(code).toBe(0);
  expect(stdout.length).toBe(1_000_001);
  expect(seconds).toBeLessThan(5);
});

test("an error that nobody awaited is told as a defect", async () => {
  const running = await startWith(
    `setTimeout(() => { throw new TypeError("stray"); }, 10); await new Promise((resolve) => setTimeout(resolve, 5000)); return { json: {} };`,
  );
  const { code, stderr } = await running.ended;
  expect(code).toBe(1);
  expect(stderr).toContain("error: This is a defect in modelship: stray");
});

test("a verdict other than success is the exit code", async () => {
  const running = await startWith(`return { json: {}, text: "not fine", exitCode: 1 };`);
  expect(await running.ended).toMatchObject({ code: 1, stdout: "not fine\n", stderr: "" });
});
