import type { Command } from "commander";
import type { Reporter } from "../reporter.js";

/** What a command gets besides its own arguments and options. */
export interface CommandContext {
  report: Reporter;
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** A person can be asked: stdin and stderr are terminals, and neither CI nor --json nor --yes says otherwise. */
  interactive: boolean;
  /** `--json`: stdout carries one document. */
  json: boolean;
  /** `--quiet`. */
  quiet: boolean;
  /** Writes a result to stdout while the command still runs (log lines); `json` is used with --json=events. */
  stream: (line: string, json: unknown) => void;
  /**
   * Prints the command's result now, for a command that then stays: with `--json` a script need not wait for its end.
   * What the action returns is not printed any more.
   */
  publish: (result: CommandResult) => void;
  /** Takes what a second Ctrl-C must still do, briefly, before it leaves; returns a function that takes it back. */
  lastResort: (work: () => Promise<void>) => () => void;
  /** Global options that concern the engine and the project. */
  globals: GlobalOptions;
}

export interface GlobalOptions {
  /** `--host`: the engine's address. */
  host?: string;
  /** `--context`: a Docker context by name. */
  context?: string;
  /** `--project`: folder of the project, default the current one or its nearest parent with a modelship.yaml. */
  project?: string;
}

/** What a command has to say on stdout. */
export interface CommandResult {
  /** Printed as one document with `--json`; documented in docs/json.md. */
  json: Readonly<Record<string, unknown>>;
  /** Printed otherwise; nothing when undefined. */
  text?: string | undefined;
  /** Printed instead when there is no `text` and a script reads stdout: the one value it wants, which a person has read in the talk. */
  scriptText?: string | undefined;
  /** For commands whose result is a verdict (doctor): an exit code other than 0 that is not an error. */
  exitCode?: number;
}

/**
 * Wraps an action: the function gets the context first, then what commander passes (arguments, then options).
 * Prints its result, or its error, and sets the exit code.
 */
export type Run = <A extends unknown[]>(
  action: (context: CommandContext, ...args: A) => Promise<CommandResult>,
) => (...args: A) => Promise<void>;

/** Default export of each file in src/commands: adds the command's arguments, options and action to `command`. */
export type Define = (command: Command, run: Run) => void;

/** What every use case that works on a project or an engine is given. */
export function surroundings({ cwd, env, globals, report, signal }: CommandContext) {
  return { cwd, env, dir: globals.project, host: globals.host, context: globals.context, report, signal };
}
