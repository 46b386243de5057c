// What the rounds measured, as one row for a subject, an engine, a size and a state.
import { seconds } from "./ship.mjs";

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Medians over the rounds, unless a round failed. */
export function rows(results, engines) {
  const groups = {};
  for (const result of results) {
    groups[key(result)] ??= [];
    groups[key(result)].push(result);
  }
  return Object.values(groups).map((rounds) => {
    const [{ tool, name, engine, size, state }] = rounds;
    const row = { tool, name, engine: engines.find((one) => one.id === engine), size, state };
    if (rounds.some((round) => round.failed)) return { ...row, failed: true };
    const over = (of) => median(rounds.map(of));
    const part = (wanted) => {
      const found = rounds.map(({ parts }) => parts.find((one) => one.part === wanted)).filter(Boolean);
      return found.length > 0 ? median(found.map((one) => one.seconds)) : undefined;
    };
    const sum = (field) => over(({ parts }) => parts.reduce((total, one) => total + one[field], 0));
    const all = rounds.map(seconds);
    return {
      ...row,
      build: part("build"),
      push: part("push"),
      seconds: median(all),
      range: rounds.length > 1 ? [Math.min(...all), Math.max(...all)] : undefined,
      bytes: rounds[0].bytes === undefined ? undefined : over((round) => round.bytes),
      peak: Math.max(...rounds.flatMap(({ parts }) => parts.map((one) => one.peak))),
      processor: sum("processor"),
      engineProcessor: rounds[0].parts[0].engineProcessor === undefined ? undefined : sum("engineProcessor"),
      said: rounds.at(-1).parts.at(-1).said?.bytesSent,
    };
  });
}

const key = ({ name, engine, size, state }) => [name, engine, size, state].join("|");
