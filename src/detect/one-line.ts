/** Text of a file for one line of output: control characters and line ends are spaces, and a long text is cut. */
export function oneLine(text: string, longest = 200): string {
  // Before anything else, as the text may be megabytes
  const start = text.slice(0, longest + 1);
  const line = start.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, " ");
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
