import type { LogLine } from "../docker/logs.js";

/** Lines that are kept, and asked for again, to find what a followed log left out at its end. */
export const overlapLines = 50;

/**
 * What `final` (the end of the whole log) says beyond `seen` (the end of what a follower got). Empty when the two do
 * not fit together: saying a line twice is worse than losing it.
 */
export function lastWords(seen: readonly LogLine[], final: readonly LogLine[]): LogLine[] {
  if (seen.length === 0) return [...final];
  for (let missed = 0; missed < final.length; missed++) {
    const known = final.slice(0, final.length - missed);
    const end = seen.slice(-known.length);
    const fits = known.slice(-end.length).every((line, index) => same(line, end[index]));
    if (fits) return final.slice(final.length - missed);
  }
  return [];
}

function same(one: LogLine, other: LogLine | undefined): boolean {
  return one.stream === other?.stream && one.line === other.line;
}
