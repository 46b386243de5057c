import type { CommandResult } from "../commands/command.js";
import type { Reporter } from "../reporter.js";

/** How one run of the CLI talks: results on stdout, everything else on stderr. */
export interface Output {
  /** text: for people; json: one document at the end; events: one JSON line an event, the result last. */
  mode: "text" | "json" | "events";
  quiet: boolean;
  interactive: boolean;
  report: Reporter;
  stream: (line: string, json: unknown) => void;
  result: (result: CommandResult) => void;
  /** Prints the error and returns the exit code. */
  error: (error: unknown) => number;
}

export interface OutputOptions {
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export declare function createOutput(options: OutputOptions): Output;
