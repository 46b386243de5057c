/** What the service is told: environment variables, read once and checked. */
import { levels } from "./log.js";

export class SettingsError extends Error {}

/** MODELSHIP_ENTRY of a project without user code: the model's file says all. */
export const noCode = "onnx";

export interface Rate {
  requests: number;
  seconds: number;
}

export const periods: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600 };

const mebibyte = 1024 * 1024;

/** Each setting: how its text is read, and its default. The variable of `maxRows` is MODELSHIP_MAX_ROWS. */
const readers = {
  name: setting(text, "model"),
  version: setting(text, "0.0.0"),
  /** API version to entry. */
  entry: setting(entries, new Map([["v1", "model.js:Model"]])),
  files: setting(text, undefined),
  imageDigest: setting(text, undefined),
  /** undefined: loopback without keys, else all addresses. */
  host: setting(text, undefined),
  port: setting(whole(0, 65_535), 8080),
  /** Serve other machines although no key is configured. */
  open: setting(yesOrNo, false),
  apiKeys: setting(text, ""),
  /** The variable that has the keys, where it is not MODELSHIP_API_KEYS. */
  keysEnv: setting(text, undefined),
  keysFile: setting(text, undefined),
  rateLimit: setting(rate, undefined),
  maxConcurrency: setting(whole(1), undefined),
  corsOrigins: setting(origins, new Set<string>()),
  playground: setting(yesOrNo, true),
  timeoutS: setting(seconds, 30),
  drainS: setting(seconds, 20),
  headerTimeoutS: setting(seconds, 10),
  idleTimeoutS: setting(seconds, 75),
  heartbeatS: setting(seconds, 15),
  maxConnections: setting(whole(1), 4096),
  maxHeaderBytes: setting(whole(1024), 32 * 1024),
  maxBodyBytes: setting(whole(1), 16 * mebibyte),
  maxDecodedBytes: setting(whole(1), 64 * mebibyte),
  maxJsonDepth: setting(whole(1, 500), 64),
  maxRows: setting(whole(1), 1024),
  queueMaxRows: setting(whole(1), 256),
  batchMaxRows: setting(whole(1), 32),
  batchMaxDelayMs: setting(number(-1, 60_000, "milliseconds"), 0),
  workers: setting(whole(1, 256), 1),
  /** So many in a minute, and the service ends. */
  maxWorkerDeaths: setting(whole(1), 5),
  maxStreams: setting(whole(1), 64),
  warmUp: setting(yesOrNo, true),
  jobsMax: setting(whole(0), 256),
  jobsTtlS: setting(seconds, 3600),
  jobTimeoutS: setting(seconds, 3600),
  logLevel: setting(level, "info"),
  logBodies: setting(yesOrNo, false),
};

interface Reader<Value, Default> {
  read: (text: string) => Value;
  otherwise: Default;
}

export type Settings = {
  readonly [Name in keyof typeof readers]: (typeof readers)[Name] extends Reader<infer Value, infer Default>
    ? Value | Default
    : never;
};

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const found: Record<string, unknown> = {};
  for (const [name, { read, otherwise }] of Object.entries(readers)) {
    const variable = `MODELSHIP_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
    const given = (env[variable] ?? "").trim();
    try {
      found[name] = given === "" ? otherwise : read(given);
    } catch (problem) {
      // What stands for keys is never shown, not even where it makes no sense.
      const shown = name === "apiKeys" ? "" : `, and it is ${JSON.stringify(given)}`;
      throw new SettingsError(`${variable} ${(problem as Error).message}${shown}`);
    }
  }
  const settings = found as Settings;
  if (settings.keysEnv === undefined || settings.apiKeys !== "") return settings;
  return { ...settings, apiKeys: (env[settings.keysEnv] ?? "").trim() };
}

function setting<Value, Default extends Value | undefined>(
  read: (text: string) => Value,
  otherwise: Default,
): Reader<Value, Default> {
  return { read, otherwise };
}

function text(given: string): string {
  return given;
}

function whole(lowest: number, highest = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (given) => {
    const value = /^\d+$/.test(given) ? Number(given) : -1;
    if (value < lowest || value > highest)
      throw new Error(`must be a whole number from ${lowest} to ${highest}`);
    return value;
  };
}

/** Above `lowest`, and up to `highest`; 0 itself where `lowest` is negative. */
function number(lowest: number, highest: number, unit: string): (text: string) => number {
  return (given) => {
    const value = Number(given);
    if (!(value > lowest && value <= highest)) {
      const above = lowest < 0 ? "from 0" : `above ${lowest}`;
      throw new Error(`must be a number of ${unit} ${above} and up to ${highest}`);
    }
    return value;
  };
}

function seconds(given: string): number {
  return number(0, 86_400, "seconds")(given);
}

function yesOrNo(given: string): boolean {
  const lower = given.toLowerCase();
  if (["1", "true", "yes", "on"].includes(lower)) return true;
  if (["0", "false", "no", "off"].includes(lower)) return false;
  throw new Error("must be 1 or 0");
}

/** One entry, or several API versions side by side: `v1=old.js:Model,v2=model.js:Model`. */
function entries(given: string): Map<string, string> {
  if (!given.includes("=")) return new Map([["v1", entry(given)]]);
  const found = new Map<string, string>();
  for (const part of given.split(",")) {
    const [version = "", ...rest] = part.trim().split("=");
    if (!/^v[1-9]\d{0,3}$/.test(version) || found.has(version))
      throw new Error("must name each API version once, as in v1=old.js:Model,v2=model.js:Model");
    found.set(version, entry(rest.join("=")));
  }
  return new Map([...found].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1))));
}

function entry(given: string): string {
  if (given !== noCode && !/^.+\.(?:js|mjs|ts|mts):[A-Za-z_$][\w$]*$/.test(given))
    throw new Error("must look like model.ts:Model, a file and a class in it");
  return given;
}

function rate(given: string): Rate {
  const found = /^([1-9]\d{0,8})\s*\/\s*(second|minute|hour)$/.exec(given);
  if (!found)
    throw new Error("must look like 60/minute: a number of requests for each second, minute or hour");
  return { requests: Number(found[1]), seconds: periods[found[2] as string] as number };
}

function origins(given: string): Set<string> {
  const found = given
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (!found.every((one) => /^https?:\/\/[A-Za-z0-9.\-[\]:]+$/.test(one)))
    throw new Error("must be exact origins, as in https://app.example.com, separated by commas");
  return new Set(found);
}

function level(given: string): string {
  if (!levels.includes(given.toLowerCase())) throw new Error(`must be one of ${levels.join(", ")}`);
  return given.toLowerCase();
}
