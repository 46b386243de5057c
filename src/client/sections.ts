/**
 * The client's text with the parts that a service has. Lines of it are marks, in comments: `if NAME` to `end` is kept
 * where NAME is among the flags, and `section NAME` to `end` is replaced. They may be nested.
 */
export function assemble(
  text: string,
  flags: ReadonlySet<string>,
  sections: Readonly<Record<string, string>>,
): string {
  const kept: string[] = [];
  const open: boolean[] = [];
  for (const line of text.split("\n")) {
    const mark = /^\s*(?:#|\/\/) (?:(if|section) (\w+)|end)$/.exec(line);
    const isKept = open.every(Boolean);
    if (!mark) {
      if (isKept) kept.push(line);
    } else if (mark[1] === undefined) {
      open.pop();
    } else if (mark[1] === "if") {
      open.push(flags.has(mark[2] ?? ""));
    } else {
      if (isKept) kept.push(sections[mark[2] ?? ""] ?? "");
      open.push(false);
    }
  }
  return kept.join("\n").replace(/\n{4,}/g, "\n\n\n");
}
