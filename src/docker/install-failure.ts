/** Where packages are installed: inside a build, or in a virtualenv on this machine. */
export type InstallPlace = "build" | "here";

/** What went wrong inside an install step, in a sentence, with the lines of it that tell. */
export interface InstallFailure {
  why: string;
  hint: string;
  excerpt: string[];
}

interface Rule {
  /** Looked for in every line. */
  match: RegExp;
  why: (found: RegExpExecArray, where: string) => string;
  hint: string;
  /** The hint outside of builds, where it differs. */
  hintHere?: string;
  /** Lines to show besides those that pip and its like mark as errors. */
  show?: (lines: readonly string[], at: number) => string[];
  /** Leave out the error lines: they tell of a consequence (`No matching distribution`), not of the cause. */
  alone?: boolean;
}

const networkHintHere = "Check the network, and behind a proxy set HTTP_PROXY and HTTPS_PROXY.";
const networkHint =
  "Check the network of builds (--network, the engine's DNS), and behind a proxy set HTTP_PROXY and HTTPS_PROXY; --index-url names another index.";

/** The first rule that matches any line wins: causes come before what they lead to. */
const rules: readonly Rule[] = [
  {
    match:
      /CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate|SELF_SIGNED_CERT_IN_CHAIN|unable to get local issuer certificate|Certificate verification failed/,
    why: (_, where) => `The package index's TLS certificate could not be verified${where}.`,
    hint: "Name the CA bundle that your network needs with --ca-cert FILE (image.ca_certs in modelship.yaml).",
    hintHere: "Name the CA bundle that your network needs in SSL_CERT_FILE and PIP_CERT.",
    show: lineItself,
    alone: true,
  },
  {
    match: /ProxyError|Cannot connect to proxy|Tunnel connection failed|Proxy Authentication Required/,
    why: (_, where) => `The proxy could not be used${where}.`,
    hint: "Check HTTP_PROXY and HTTPS_PROXY: inside a build, localhost is the build's own machine (or use --network host).",
    hintHere: "Check HTTP_PROXY and HTTPS_PROXY.",
    show: lineItself,
    alone: true,
  },
  {
    match:
      /Temporary failure in name resolution|Temporary failure resolving '([^']+)'|Name or service not known|getaddrinfo (?:ENOTFOUND|EAI_AGAIN)|dns error|Could not resolve host|failed to lookup address/,
    why: (_, where) => `A host name could not be resolved${where}.`,
    hint: networkHint,
    hintHere: networkHintHere,
    show: lineItself,
    alone: true,
  },
  {
    match:
      /NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Read timed out|Network is unreachable|Connection (?:refused|timed out|reset by peer)|ECONNREFUSED|ETIMEDOUT|ECONNRESET/,
    why: (_, where) => `The package index could not be reached${where && ` from${where}`}.`,
    hint: networkHint,
    hintHere: networkHintHere,
    show: lineItself,
    alone: true,
  },
  {
    match: /No space left on device|ENOSPC/,
    why: (_, where) => (where ? "The engine's disk is full." : "The disk is full."),
    hint: "Free space with `docker system prune`, or move the engine's data root to a larger disk.",
    hintHere: "Free space on the disk of the project.",
    show: lineItself,
  },
  {
    match: /THESE PACKAGES DO NOT MATCH THE HASHES/,
    why: () => "A downloaded package is not the one that the requirements were locked to.",
    hint: "Lock the requirements again if that package was meant to change; otherwise do not trust the index.",
    show: (lines, at) => block(lines, at + 1, 8),
  },
  {
    match: /Hashes are required in --require-hashes mode|all requirements must have their versions pinned/,
    why: () => "Some requirements have hashes and others have none.",
    hint: "Lock all of them with hashes (for example `uv pip compile --generate-hashes`), or none.",
    show: (lines, at) => block(lines, at + 1, 8),
  },
  {
    match: /The conflict is caused by:|No solution found when resolving dependencies/,
    why: () => "The requirements contradict each other.",
    hint: "Loosen or change the versions named above in the project's requirements.",
    show: (lines, at) => [lines[at] ?? "", ...block(lines, at + 1, 10)],
  },
  {
    match:
      /command '(\S*(?:gcc|g\+\+|cc|clang|cargo|rustc))' failed: No such file|(?:Unable|unable) to find (?:a )?compiler/,
    why: (_, where) =>
      `A package has no wheel for this Python and platform, and ${where ? "the image" : "this machine"} has no compiler to build it.`,
    hint: "Choose a version that has a wheel, or add the compiler: system_packages: [build-essential] in modelship.yaml.",
    hintHere: "Choose a version that has a wheel, or install a compiler.",
    show: (lines, at) => [lines[at] ?? "", ...lines.filter((line) => /^╰─> [\w.-]+$/.test(line))],
  },
  {
    match: /No matching distribution found for (.+)$/,
    why: ([, what]) => `The package index has no ${what?.trim()} for this Python and platform.`,
    hint: "Check the name and the version in the project's requirements, and the Python version (python: in modelship.yaml).",
  },
  {
    match: /Could not open requirements file: .*'([^']+)'/,
    why: ([, file], where) =>
      `The requirements file ${file} is not in the ${where ? "build context" : "project"}.`,
    hint: "Check `requirements:` in modelship.yaml, and that .dockerignore does not leave the file out.",
    hintHere: "Check `requirements:` in modelship.yaml.",
  },
  {
    match: /Invalid requirement: (.+)$/,
    why: ([, what]) => `A requirement cannot be read: ${what?.trim()}`,
    hint: "Correct that line of the project's requirements.",
  },
  {
    match:
      /(?:401|403) (?:Client )?Error|HTTP error 40[13]|Credentials not correct|HTTP status client error \(40[13]/i,
    why: () => "The package index refused the credentials.",
    hint: "Check the user and token of --index-url (or PIP_INDEX_URL).",
    hintHere: "Check the user and token of the index (PIP_INDEX_URL, or UV_INDEX_URL for uv).",
    show: lineItself,
  },
  {
    match:
      /(?:Failed building wheel for|Encountered error while generating package metadata|legacy-install-failure)\s*(\S*)/,
    why: ([, what]) => `A package could not be built from source${what ? `: ${what}` : ""}.`,
    hint: "Choose a version that has a wheel, or add what its build needs to system_packages in modelship.yaml.",
    hintHere: "Choose a version that has a wheel, or install what its build needs.",
    show: (lines) => lines.filter((line) => /^\s*(error: |\S*Error: )|^╰─> [\w.-]+$/.test(line)).slice(-6),
  },
  {
    match: /E: Unable to locate package (\S+)|E: Package '(\S+)' has no installation candidate/,
    why: ([, one, other]) => `The base image's distribution has no package ${one ?? other}.`,
    hint: "Check system_packages in modelship.yaml: names are those of the base image's distribution.",
    show: lineItself,
  },
  {
    match: /npm (?:ERR!|error) code (\S+)/,
    why: ([, code]) => `npm failed (${code}).`,
    hint: "Check package.json and the lock file.",
    show: (lines) => lines.filter((line) => /^npm (ERR!|error) /.test(line)).slice(0, 8),
  },
];

function lineItself(lines: readonly string[], at: number): string[] {
  return [lines[at] ?? ""];
}

/** The lines that follow, until an empty one. */
function block(lines: readonly string[], from: number, most: number): string[] {
  const rest = lines.slice(from, from + most);
  const end = rest.findIndex((line) => line.trim() === "");
  return end < 0 ? rest : rest.slice(0, end);
}

/** Failures that a network would not explain: warnings about retries before them had come right again. */
const decisive =
  /from versions: [^n)]|The conflict is caused by|DO NOT MATCH THE HASHES|subprocess-exited-with-error|Invalid requirement/;

/** Recognises pip, uv, npm and apt failures; `undefined` for everything else. */
export function explainInstall(
  lines: readonly string[],
  place: InstallPlace = "build",
): InstallFailure | undefined {
  const where = place === "build" ? " inside the build" : "";
  const settled = lines.some((line) => decisive.test(line));
  for (const rule of rules) {
    if (rule.alone && settled) continue;
    // Of many retries the last says most.
    const order = rule.alone ? [...lines.entries()].reverse() : lines.entries();
    for (const [at, line] of order) {
      const found = rule.match.exec(line);
      if (!found) continue;
      const errors = rule.alone ? [] : lines.filter((one) => /^(ERROR|error|E): /.test(one)).slice(-4);
      const shown = [...new Set([...errors, ...(rule.show?.(lines, at) ?? [])])];
      const hint = place === "here" ? (rule.hintHere ?? rule.hint) : rule.hint;
      return { why: rule.why(found, where), hint, excerpt: shown };
    }
  }
  return undefined;
}
