/** Process exit codes: the contract that scripts rely on (docs/exit-codes.md). */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  engine: 3,
  authentication: 4,
  service: 5,
  interrupted: 130,
} as const;

/** Every error a user can meet, and the exit code that goes with it. `--json` prints the key as `error.code`. */
const exitCodes = {
  // 1: the work was understood and did not succeed
  failed: ExitCode.failed,
  build_failed: ExitCode.failed,
  install_failed: ExitCode.failed,
  pull_failed: ExitCode.failed,
  push_failed: ExitCode.failed,
  registry_failed: ExitCode.failed,
  image_not_found: ExitCode.failed,
  image_not_ours: ExitCode.failed,
  container_not_found: ExitCode.failed,
  container_failed: ExitCode.failed,
  disk_full: ExitCode.failed,
  file_failed: ExitCode.failed,
  files_exist: ExitCode.failed,
  check_failed: ExitCode.failed,
  // 2: what was asked for cannot be meant
  usage: ExitCode.usage,
  project_file: ExitCode.usage,
  project_not_found: ExitCode.usage,
  model_files: ExitCode.usage,
  model_file: ExitCode.usage,
  reference: ExitCode.usage,
  template: ExitCode.usage,
  input: ExitCode.usage,
  // 3: no engine to work with
  engine_unreachable: ExitCode.engine,
  engine_permission: ExitCode.engine,
  engine_unsupported: ExitCode.engine,
  // 4: who you are, or what you may do
  authentication: ExitCode.authentication,
  denied: ExitCode.authentication,
  credential_helper: ExitCode.authentication,
  // 5: the model or its service
  service_unreachable: ExitCode.service,
  service_failed: ExitCode.service,
  service_not_ready: ExitCode.service,
  request_rejected: ExitCode.service,
  // 130
  interrupted: ExitCode.interrupted,
} as const;

export type ErrorCode = keyof typeof exitCodes;

export interface ErrorDetails {
  /** One sentence: why it happened. */
  why?: string | undefined;
  /** One sentence: what the user can do now. */
  hint?: string | undefined;
  /** Lines worth showing below the error: a traceback, the last log lines, an excerpt of a file. */
  excerpt?: readonly string[] | undefined;
  cause?: unknown;
}

/**
 * An expected failure, said in the user's terms. `message` is one sentence of what happened.
 * Anything else that reaches the top is a defect of modelship and is reported as one.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: ErrorCode;
  readonly why: string | undefined;
  readonly hint: string | undefined;
  readonly excerpt: readonly string[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.why = details.why;
    this.hint = details.hint;
    this.excerpt = details.excerpt ?? [];
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

export function isUserError(error: unknown): error is UserError {
  return error instanceof UserError;
}

/** The error of a Ctrl-C or an aborted signal: nothing failed, the user changed their mind. */
export function interrupted(): UserError {
  return new UserError("interrupted", "Interrupted.");
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interrupted();
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `code` of a Node.js system error (`ENOENT`, `ECONNREFUSED`, ...), if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof UserError) return undefined; // its `code` is one of ours
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
