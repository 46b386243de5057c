import type { Detected } from "./detected.js";
import { oneLine } from "./one-line.js";

/** `ONNX, opset 17`: what is known of these, in one line. */
export function summaryOf(...parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part !== undefined && part !== "")
    .map((part) => oneLine(part ?? ""))
    .join(", ");
}

/** 7,241,732,096 -> `7.2B`, as models are spoken of. */
export function shortCount(count: number): string {
  for (const [unit, size] of [
    ["T", 1e12],
    ["B", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(1)}${unit}`;
  }
  return String(count);
}

/** Only what the format states. */
export function detailsOf(
  stated: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): Detected["details"] {
  const known = Object.entries(stated).filter(
    (entry): entry is [string, string | number | boolean | readonly string[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(known);
}

/** `2.9.1` of `2.9.1+cu128`: what a requirement can ask for; `undefined` for what is no version. */
export function publicVersion(stated: string | undefined): string | undefined {
  return /^\d{1,6}(\.\d{1,6}){0,4}((a|b|rc|\.?dev|\.post)\d{1,9})?(?=$|\+)/.exec(stated ?? "")?.[0];
}
