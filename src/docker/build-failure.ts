import { UserError } from "../errors.js";
import { diskFull, isDiskFull } from "./errors.js";
import { explainInstall } from "./install-failure.js";
import { registryError } from "./registry-failure.js";

const excerptLines = 15;
/** Characters of one line: pip lists every version there is in one. */
const longestLine = 300;

/**
 * The error of a failed build.
 *
 * `step` is the failing step as the builder names it (`[builder 2/5] RUN ...`; empty where none was reached), `lines`
 * what it printed, `message` what the engine said in the end, `title` what the caller calls the step.
 * Pure: knows nothing but these words.
 */
export function explainBuildFailure(
  step: string,
  lines: readonly string[],
  message: string,
  title?: string,
): UserError {
  const cleaned = message.replace(
    /^failed to solve with frontend \S+: (failed to create LLB definition: )?/,
    "",
  );
  const name = title ?? instruction(step);
  return (
    baseImage(step, cleaned) ??
    beforeSteps(cleaned) ??
    disk(lines, cleaned) ??
    missingFile(name, cleaned) ??
    ranAndFailed(name, lines, cleaned)
  );
}

/** `[builder 2/5] RUN pip install x` is `RUN pip install x`, on one line and not longer than people read. */
function instruction(step: string): string {
  const text = step
    .replace(/^\[[^\]]*\] /, "")
    .replace(/--mount=\S+\s+/g, "")
    .replace(/\s+/g, " ")
    .trim();
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function baseImage(step: string, message: string): UserError | undefined {
  const named =
    /^\[internal\] load metadata for (\S+)$/.exec(step) ??
    /\] FROM (?:--\S+ )*(\S+)/.exec(step) ??
    /^pull access denied for ([^\s,]+)/.exec(message) ??
    /^manifest for (\S+) not found/.exec(message);
  const image = named?.[1]?.replace(/@sha256:[0-9a-f]{64}$/, "");
  if (image === undefined) return undefined;
  return registryError(redacted(message), { image, code: "pull_failed", base: true });
}

/** What fails before any step is run. */
function beforeSteps(message: string): UserError | undefined {
  const syntax = /(?:dockerfile )?parse error(?: on)? line (\d+): (.*)|Unknown instruction: "([^"]*)"/is.exec(
    message,
  );
  if (syntax)
    return new UserError(
      "build_failed",
      `The Dockerfile has an error${syntax[1] ? ` in line ${syntax[1]}` : ""}.`,
      {
        why: (syntax[2] ?? `unknown instruction: ${syntax[3]}`).trim(),
        hint: "`modelship build --print-dockerfile` prints it.",
      },
    );
  const secret = /secret ([^\s:]+)(?: not found|: not found)|no secret with id (\S+) found/.exec(message);
  if (secret)
    return new UserError("build_failed", `The build needs a secret that it was not given.`, {
      why: `The Dockerfile asks for the secret "${secret[1] ?? secret[2]}".`,
      hint: `Give it with --secret id=${secret[1] ?? secret[2]},src=FILE or ,env=NAME.`,
    });
  if (/--mount option requires BuildKit/i.test(message))
    return new UserError(
      "engine_unsupported",
      "This build needs BuildKit, which the engine does not offer.",
      {
        why: message,
        hint: "Unset DOCKER_BUILDKIT if it is 0, or update the engine.",
      },
    );
  const network = /network mode "([^"]+)" not supported/.exec(message);
  if (network)
    return new UserError("engine_unsupported", `Builds cannot use the network "${network[1]}".`, {
      why: message,
      hint: "Use --network host, --network none, or leave it out.",
    });
  const target = /target stage "?([^\s"]+)"? could not be found|failed to reach build target (\S+)/i.exec(
    message,
  );
  if (target)
    return new UserError("build_failed", `The Dockerfile has no stage "${target[1] ?? target[2]}".`, {
      why: message,
    });
  return undefined;
}

function disk(lines: readonly string[], message: string): UserError | undefined {
  const told = [message, ...lines.slice(-40)].find(isDiskFull);
  return told === undefined ? undefined : diskFull("building the image", new Error(redacted(told.trim())));
}

/** COPY of a file that is not in the context, in the words of three builders. */
function missingFile(name: string, message: string): UserError | undefined {
  const found =
    /"\/?([^"]+)"(?: not found)?: not found/.exec(message) ??
    /file not found in build context or excluded by \.dockerignore: stat ([^:]+):/.exec(message) ??
    /copier: stat: "\/?([^"]+)": no such file or directory/.exec(message);
  if (!found) return undefined;
  return new UserError("build_failed", `The build failed at "${name}".`, {
    why: `There is no ${found[1]} in the build context.`,
    hint: "Check the path, and that .dockerignore does not leave the file out.",
  });
}

function ranAndFailed(name: string, lines: readonly string[], message: string): UserError {
  const title = name === "" ? "The build failed." : `The build failed at "${name}".`;
  const install = explainInstall(lines);
  if (install)
    return new UserError("build_failed", title, {
      why: install.why,
      hint: install.hint,
      excerpt: tidy(install.excerpt),
    });
  const code = /(?:exit code|exit status|non-zero code): ?(\d+)|exit status (\d+)/.exec(message);
  const status = code ? Number(code[1] ?? code[2]) : undefined;
  return new UserError("build_failed", title, { ...reason(status, message), excerpt: tidy(lines) });
}

function reason(status: number | undefined, message: string): { why: string; hint?: string } {
  if (status === undefined) return { why: redacted(message) };
  const why = `The command ended with exit code ${status}.`;
  if (status === 137)
    return {
      why: "The command was killed (exit code 137).",
      hint: "That is usually for want of memory: give the engine more, or build less at once.",
    };
  if (status === 127)
    return { why: `${why} A program that it calls is not in the image.`, hint: "Add it to system_packages." };
  if (status === 126)
    return { why: `${why} A file that it calls cannot be run.`, hint: "Check its mode and the platform." };
  return { why };
}

/** The last lines, without empty ones at either end, none too long, and none with a password in a URL. */
function tidy(lines: readonly string[]): string[] {
  const kept = [...lines];
  while (kept.at(-1)?.trim() === "") kept.pop();
  const last = kept.slice(-excerptLines);
  while (last[0]?.trim() === "") last.shift();
  return last.map((line) =>
    redacted(
      line.length > longestLine ? `${line.slice(0, longestLine)}... (${line.length} characters)` : line,
    ),
  );
}

function redacted(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/gi, "$1***@");
}
