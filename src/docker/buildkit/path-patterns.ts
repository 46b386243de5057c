import dockerignore from "@balena/dockerignore";

/** Whether an entry of the tree is wanted. `path` has no leading slash. */
export type PathFilter = (path: string) => boolean;

/**
 * The filter for BuildKit's `followpaths` and `include-patterns`: the files that COPY and ADD name, wildcards within
 * one path component. A path is wanted when it, or a folder above it, is named. Nothing named: everything.
 */
export function wantedPaths(patterns: readonly string[]): PathFilter {
  if (patterns.length === 0) return () => true;
  const cleaned = patterns.map(clean);
  if (cleaned.includes("")) return () => true;
  const matchers = cleaned.map((pattern) => pattern.split("/").map(componentMatcher));
  return (path) => {
    const components = path.split("/");
    return matchers.some(
      (matcher) =>
        matcher.length <= components.length && matcher.every((test, index) => test(components[index] ?? "")),
    );
  };
}

/** `/./a//b/../c/` is `a/c`; `.`, `/` and what leads out of the root is the root itself. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** Go's path.Match for one component: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before any of them. */
function componentMatcher(pattern: string): (name: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern;
  if (pattern === "**") return () => true;
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else if (char === "\\") source += literal(pattern[++at] ?? "\\");
    else if (char === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end < 0) return (name) => name === pattern;
      source += `[${pattern.slice(at + 1, end).replace(/[[\]]/g, "\\$&")}]`;
      at = end;
    } else source += literal(char);
  }
  try {
    const expression = new RegExp(`^${source}$`, "su");
    return (name) => expression.test(name);
  } catch {
    return (name) => name === pattern;
  }
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/g, (special) => (special === "-" ? "\\x2d" : `\\${special}`));
}

/** The filter for BuildKit's `exclude-patterns`: the lines of a .dockerignore. */
export function notExcluded(patterns: readonly string[]): PathFilter {
  if (patterns.length === 0) return () => true;
  return dockerignore
    .default({ ignorecase: false })
    .add([...patterns])
    .createFilter();
}
