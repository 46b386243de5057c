import { UserError } from "../errors.js";
import { type KeyEntry, periods, type RateLimit, scopes } from "./document.js";

/** What a key may do, how long and how much, as it is written on the command line. */

const unitMilliseconds: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** `90d`, or a date or time: when the key ends, to the second. A date begins at midnight UTC. */
export function parseExpiry(text: string, now: Date): string {
  const span = /^([1-9]\d{0,6})([mhdw])$/.exec(text);
  const at = span
    ? now.getTime() + Number(span[1]) * (unitMilliseconds[span[2] ?? ""] ?? 0)
    : parseMoment(text);
  if (Number.isNaN(at)) {
    throw usage(
      `--expires ${text} is no time.`,
      "Write 90d (or m, h, w), 2027-01-01, or 2027-01-01T12:00:00Z.",
    );
  }
  if (at <= now.getTime()) throw usage(`--expires ${text} has passed.`, "Choose a time in the future.");
  const shown = toSecond(new Date(at));
  if (!/^\d{4}-/.test(shown))
    throw usage(`--expires ${text} is too far away.`, "Leave it out: the key then stays.");
  return shown;
}

/** `2027-01-01T00:00:00Z`. */
export function toSecond(moment: Date): string {
  return moment.toISOString().replace(/\.\d+Z$/, "Z");
}

function parseMoment(text: string): number {
  const found = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.exec(text);
  if (!found) return Number.NaN;
  // Date takes 30 February for the 1st or 2nd of March.
  const [, year, month, day] = found;
  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.getUTCDate() !== Number(day)) return Number.NaN;
  return Date.parse(text);
}

/** `60/minute`. */
export function parseRate(text: string): RateLimit {
  const found = /^([1-9]\d{0,8})\/(\w+)$/.exec(text);
  const per = periods.find((period) => period === found?.[2]);
  if (!found || !per) {
    throw usage(`--rate ${text} is no rate.`, "Write 60/minute: requests for each second, minute or hour.");
  }
  return { requests: Number(found[1]), per };
}

export function parseConcurrency(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > 1e6) {
    throw usage(
      `--max-concurrency ${text} is no number of requests.`,
      "Write a whole number from 1 to 1000000.",
    );
  }
  return count;
}

/** Each once, in one order. Without any a key may predict. */
export function parseScopes(words: readonly string[]): KeyEntry["scopes"] {
  const unknown = words.find((word) => !scopes.some((scope) => scope === word));
  if (unknown !== undefined) {
    throw usage(`--scope ${unknown} is unknown.`, `There are ${scopes.join(", ")}; admin may do everything.`);
  }
  return words.length === 0 ? ["predict"] : scopes.filter((scope) => words.includes(scope));
}

function usage(message: string, hint: string): UserError {
  return new UserError("usage", message, { hint });
}
