import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { UserError } from "../../../src/errors.js";
import { createOutput } from "../../../src/ui/output.js";

function start(args: readonly string[], options: { tty?: boolean; env?: NodeJS.ProcessEnv } = {}) {
  const stdout = new Recorder(options.tty ?? false);
  const stderr = new Recorder(options.tty ?? false);
  const output = createOutput({
    args,
    env: options.env ?? {},
    stdin: { isTTY: options.tty ?? false },
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
  });
  return { output, stdout, stderr };
}

class Recorder extends Writable {
  text = "";
  readonly columns = 80;
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void) {
    this.text += chunk.toString();
    done();
  }
}

const failure = new UserError("denied", "The registry refused.", { hint: "Sign in." });

test("results go to stdout, the talk to stderr", () => {
  const { output, stdout, stderr } = start([]);
  output.report({ type: "note", message: "working" });
  output.result("build", { json: { id: "sha256:1" }, text: "sha256:1" });
  expect(stdout.text).toBe("sha256:1\n");
  expect(stderr.text).toBe("working\n");
});

test("--json prints one document with its schema, and the talk stays on stderr", () => {
  const { output, stdout, stderr } = start(["build", "--json"]);
  output.report({ type: "note", message: "working" });
  output.stream("a line", { line: 1 });
  output.result("build", { json: { id: "sha256:1" }, text: "sha256:1" });
  expect(JSON.parse(stdout.text)).toEqual({ schema: "modelship.build/1", id: "sha256:1" });
  expect(stderr.text).toBe("working\n");
});

test("--json=events prints a line for every event and the result last", () => {
  const { output, stdout, stderr } = start(["--json=events", "build"]);
  output.report({ type: "task-started", id: "a", title: "Building" });
  output.stream("a line", { line: 1 });
  output.result("build", { json: { id: "sha256:1" } });
  expect(
    stdout.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { type: "task-started", id: "a", title: "Building" },
    { type: "item", item: { line: 1 } },
    { type: "result", result: { schema: "modelship.build/1", id: "sha256:1" } },
  ]);
  expect(stderr.text).toBe("");
});

test("an error is the document, and told to people too unless --quiet", () => {
  const loud = start(["--json"]);
  expect(loud.output.error(failure)).toBe(4);
  expect(JSON.parse(loud.stdout.text)).toEqual({
    schema: "modelship.error/1",
    error: { code: "denied", message: "The registry refused.", hint: "Sign in." },
  });
  expect(loud.stderr.text).toBe("error: The registry refused.\nhint: Sign in.\n");

  const quiet = start(["--json", "-q"]);
  quiet.output.error(failure);
  expect(quiet.stderr.text).toBe("");

  const events = start(["--json=events"]);
  events.output.error(failure);
  expect(JSON.parse(events.stdout.text)).toMatchObject({ type: "error", error: { code: "denied" } });
});

test("--quiet leaves results and errors", () => {
  const { output, stdout, stderr } = start(["-q"]);
  output.report({ type: "warning", message: "careful" });
  output.error(failure);
  output.result("init", { json: {}, scriptText: "/tmp/digits" });
  expect(stdout.text).toBe("/tmp/digits\n");
  expect(stderr.text).toBe("error: The registry refused.\nhint: Sign in.\n");
});

test("what a person has read in the talk is printed for scripts only", () => {
  const terminal = start([], { tty: true });
  terminal.output.result("init", { json: {}, scriptText: "/tmp/digits" });
  expect(terminal.stdout.text).toBe("");
  const script = start([]);
  script.output.result("init", { json: {}, scriptText: "/tmp/digits" });
  expect(script.stdout.text).toBe("/tmp/digits\n");
});

test.each([
  [{ args: [], tty: true, env: {} }, true],
  [{ args: [], tty: false, env: {} }, false],
  [{ args: [], tty: true, env: { CI: "true" } }, false],
  [{ args: [], tty: true, env: { CI: "false" } }, true],
  [{ args: [], tty: true, env: { TERM: "dumb" } }, false],
  [{ args: ["--json"], tty: true, env: {} }, false],
  [{ args: ["init", "--yes"], tty: true, env: {} }, false],
  [{ args: ["run", "--", "--yes"], tty: true, env: {} }, true],
])("a person can be asked: %j is %j", ({ args, tty, env }, interactive) => {
  expect(start(args, { tty, env }).output.interactive).toBe(interactive);
});

test("options after -- are not ours", () => {
  expect(start(["run", "--", "--json", "-q"]).output).toMatchObject({ mode: "text", quiet: false });
});
