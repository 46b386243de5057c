import { z } from "zod";
import { UserError } from "../errors.js";

/** The keys as they lie in a file, for the service to read. It holds hashes: a key itself is nowhere but with its owner. */

export const scopes = ["predict", "admin", "metrics"] as const;
export const periods = ["second", "minute", "hour"] as const;

/** What the service takes. */
export const mostKeys = 10_000;
export const mostBytes = 1024 * 1024;

const ours = /^ms_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/;

/** Whether a text may name a key. A key itself may not: a name is shown everywhere. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(text) && !ours.test(text);
}

const moment = z.iso.datetime({ offset: true, error: "must be a time such as 2027-01-31T12:00:00Z" });

const entry = z
  .strictObject({
    id: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be up to 64 letters, digits, _ and -")
      .optional(),
    name: z.string().refine(isName, "must be up to 64 letters, digits and . _ @ -"),
    hash: z.string().regex(/^sha256:[0-9A-Fa-f]{64}$/, "must be sha256: and 64 hexadecimal digits"),
    scopes: z.array(z.enum(scopes)).min(1),
    created: moment.nullable().default(null),
    expires: moment.nullable().default(null),
    rate_limit: z
      .strictObject({ requests: z.int().min(1).max(1e9), per: z.enum(periods) })
      .nullable()
      .default(null),
    max_concurrency: z.int().min(1).max(1e6).nullable().default(null),
  })
  .transform(({ id, ...rest }) => ({ id: id ?? rest.hash.slice(7, 17).toLowerCase(), ...rest }));

const document = z.strictObject({ keys: z.array(entry).max(mostKeys) });

export type KeyEntry = z.output<typeof entry>;
export type RateLimit = NonNullable<KeyEntry["rate_limit"]>;

/** Reads the text of a file; `shown` is its name. What it quotes is never a value: it may be a key in a wrong place. */
export function parseKeys(text: string, shown: string): KeyEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw unusable(shown, "It is not valid JSON.");
  }
  const read = document.safeParse(value);
  if (!read.success) throw unusable(shown, complaint(read.error.issues[0]));
  const twice = repeated(read.data.keys);
  if (twice) throw unusable(shown, twice);
  return read.data.keys;
}

/** A key a line, so that a change of one is a change of a line. */
export function renderKeys(keys: readonly KeyEntry[]): string {
  if (keys.length === 0) return '{"keys": []}\n';
  return `{"keys": [\n${keys.map((key) => `  ${JSON.stringify(key)}`).join(",\n")}\n]}\n`;
}

export function hasExpired(key: KeyEntry, now: Date): boolean {
  return key.expires !== null && Date.parse(key.expires) <= now.getTime();
}

function complaint(issue: z.core.$ZodIssue | undefined): string {
  const place = (issue?.path ?? [])
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .slice(1);
  const subject = place === "" ? "The document" : place;
  if (issue?.code === "unrecognized_keys") return `${subject} has a key that is not known.`;
  if (issue?.code === "invalid_type") return `${subject} must be of type ${issue.expected}.`;
  return `${subject} ${issue?.message.startsWith("must") ? issue.message : "has a value that it cannot have"}.`;
}

/** Names, ids and hashes are there once each. */
function repeated(keys: readonly KeyEntry[]): string | undefined {
  const owners = new Map<string, string>();
  for (const { name, id, hash } of keys) {
    for (const [what, value] of [
      ["a name", name],
      ["an id", id],
      ["a hash", hash.toLowerCase()],
    ] as const) {
      const owner = owners.get(`${what} ${value}`);
      if (owner === name) return `Two keys are named ${name}.`;
      if (owner !== undefined) return `${owner} and ${name} share ${what}.`;
      owners.set(`${what} ${value}`, name);
    }
  }
  return undefined;
}

function unusable(shown: string, why: string): UserError {
  return new UserError("file_failed", `${shown} is not a file of keys.`, {
    why,
    hint: "Correct it, or name another with --file.",
  });
}
