import { UserError } from "../errors.js";

/** GPUs for a container, as the engine's API takes them. */
export interface GpuRequest {
  Driver: string;
  Count?: number;
  DeviceIDs?: string[];
  Capabilities: string[][];
}

const units: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
/** What the engines ask for at least. */
const leastMemory = 6 * 2 ** 20;

/** Bytes from `512m`, `2g`, `1.5GiB`, as docker reads them. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match && Math.floor(Number(match[1]) * (units[(match[2] ?? "").toLowerCase()] ?? 1));
  if (!bytes) throw usage(`--memory ${text} is no size.`, "Write it as 512m or 2g.");
  if (bytes < leastMemory) throw usage(`--memory ${text} is too little.`, "Engines need 6m at least.");
  return bytes;
}

/** Billionths of a CPU from `1.5`. */
export function parseCpus(text: string): number {
  const cpus = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : 0;
  if (cpus < 0.01) throw usage(`--cpus ${text} is no number of CPUs.`, "Write it as 2 or 1.5.");
  return Math.round(cpus * 1e9);
}

/** `all`, a number, `device=0,1`, or `device=` with names of the Container Device Interface. */
export function parseGpus(text: string): GpuRequest {
  const capabilities = [["gpu"]];
  if (text === "all") return { Driver: "", Count: -1, Capabilities: capabilities };
  if (/^[1-9]\d*$/.test(text)) return { Driver: "", Count: Number(text), Capabilities: capabilities };
  const devices = /^device=(.+)$/
    .exec(text)?.[1]
    ?.split(",")
    .map((name) => name.trim());
  if (!devices || devices.some((name) => name === ""))
    throw usage(`--gpus ${text} names no GPUs.`, "Write `all`, a number, or `device=0,1`.");
  const driver = devices.every((name) => /^[^/]+\/[^=]+=.+$/.test(name)) ? "cdi" : "";
  return { Driver: driver, DeviceIDs: devices, Capabilities: capabilities };
}

/** Seconds from `90`, `90s`, `2m` or `1h`. */
export function parseSeconds(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text.trim());
  if (!match) throw usage(`${flag} ${text} is no length of time.`, "Write it as 90, 90s or 2m.");
  return Number(match[1]) * { s: 1, m: 60, h: 3600 }[(match[2] ?? "s") as "s" | "m" | "h"];
}

/** A port number; 0 stands for any free one. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(port <= 65535))
    throw usage(`--port ${text} is no port.`, "Write a number up to 65535, or 0 for a free one.");
  return port;
}

/** A whole number, 0 or more. */
export function parseCount(flag: string, text: string): number {
  if (!/^\d{1,9}$/.test(text.trim()))
    throw usage(`${flag} ${text} is no number of lines.`, "Write it as 100.");
  return Number(text);
}

/** A moment from `10m` (ago), an RFC 3339 date or seconds since 1970. */
export function parseSince(text: string, now = new Date()): Date {
  if (/^\d{9,}(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)];
  if (parts.length > 0 && parts.map((part) => part[0]).join("") === text) {
    const factor = { s: 1, m: 60, h: 3600, d: 86_400 };
    const ago = parts.reduce(
      (sum, part) => sum + Number(part[1]) * factor[part[2] as keyof typeof factor],
      0,
    );
    return new Date(now.getTime() - ago * 1000);
  }
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (!date || Number.isNaN(date.getTime()))
    throw usage(`--since ${text} is no point in time.`, "Write it as 10m, 2h30m or 2026-01-31T12:00:00Z.");
  return date;
}

function usage(message: string, hint: string): UserError {
  return new UserError("usage", message, { hint });
}
