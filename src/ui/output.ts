import type { CommandResult } from "../commands/command.js";
import type { Reporter } from "../reporter.js";
import { describeError, renderError } from "./error.js";
import {
  document,
  errorDocument,
  errorLine,
  eventLine,
  itemLine,
  resultDocument,
  resultLine,
} from "./json.js";
import { createPlainRenderer } from "./plain.js";
import type { Renderer } from "./renderer.js";
import { traceRequests } from "./requests.js";
import { createStyle } from "./style.js";
import { createTerminalRenderer } from "./terminal.js";

/** How one run of the CLI talks: results on stdout, everything else on stderr. */
export interface Output {
  /** text: for people; json: one document at the end; events: one JSON line an event, the result last. */
  mode: "text" | "json" | "events";
  quiet: boolean;
  interactive: boolean;
  report: Reporter;
  /** A result that comes while the command still runs. With `--json` the document holds it instead. */
  stream: (line: string, json: unknown) => void;
  /** Prints the result of the command of that name. */
  result: (command: string, result: CommandResult) => void;
  /** Prints the error and returns the exit code. */
  error: (error: unknown) => number;
}

export interface OutputOptions {
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  stdin: { isTTY?: boolean | undefined };
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/**
 * The options are read from the bare arguments, as commander will read them: an error of the command line
 * itself has to be told in the way that was asked for, too.
 */
export function createOutput({ args, env, stdin, stdout, stderr }: OutputOptions): Output {
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const mode = outputMode(flags);
  const quiet = flags.some((flag) => flag === "--quiet" || /^-q/.test(flag));
  const debug = flags.includes("--debug");
  const style = createStyle({ stream: stderr, env, noColor: flags.includes("--no-color") });
  // A terminal of no size (a pty that nobody told its size) cannot hold lines that move.
  const moving = stderr.isTTY === true && stderr.columns > 0 && !isSet(env.CI) && env.TERM !== "dumb";
  const assumeYes = flags.includes("--yes") || flags.includes("-y");

  const print = (line: string) => void stdout.write(line.endsWith("\n") ? line : `${line}\n`);
  const renderer = createRenderer();
  if (debug) traceRequests((line) => renderer.report({ type: "note", message: `debug: ${line}` }));

  function createRenderer(): Renderer {
    if (quiet) return { report: () => {}, close: () => {} };
    if (mode === "events") return { report: (event) => print(eventLine(event)), close: () => {} };
    if (moving) return createTerminalRenderer({ stream: stderr, style, debug });
    return createPlainRenderer({ write: (text) => void stderr.write(text), debug });
  }

  return {
    mode,
    quiet,
    interactive: moving && stdin.isTTY === true && mode === "text" && !assumeYes,
    report: renderer.report,
    stream(line, json) {
      if (mode === "text") print(line);
      else if (mode === "events") print(itemLine(json));
    },
    result(command, result) {
      renderer.close();
      if (mode === "events") return print(resultLine(command, result));
      if (mode === "json") return print(document(resultDocument(command, result)));
      // A person has read it in the talk; a script, or a person who wanted no talk, gets it here.
      const unseen = quiet || stdout.isTTY !== true;
      const text = result.text ?? (unseen ? result.scriptText : undefined);
      if (text !== undefined) print(text);
    },
    error(error) {
      renderer.close();
      const described = describeError(error);
      if (mode === "json") print(document(errorDocument(described.document)));
      if (mode === "events") print(errorLine(described.document));
      if (mode === "text" || !quiet) stderr.write(renderError(error, style, debug));
      return described.exitCode;
    },
  };
}

function outputMode(flags: readonly string[]): Output["mode"] {
  if (flags.includes("--json=events")) return "events";
  return flags.some((flag) => flag === "--json" || flag.startsWith("--json=")) ? "json" : "text";
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value.toLowerCase() !== "false";
}
