import { opaque, type PickleValue } from "./pickle-values.js";

/** The number or truth value in a line of protocol 0; `undefined` where it is none. */
export function numberIn(line: string, { isInt }: { isInt: boolean }): PickleValue | undefined {
  const text = line.trim();
  if (isInt && (text === "00" || text === "01")) return text === "01";
  if (!/^[+-]?(\d|\.\d|inf|nan)[\d.eE+-]*L?$/.test(text)) return undefined;
  const number = Number(text.replace(/L$/, ""));
  return Number.isFinite(number) ? number : opaque;
}

/** The text in a line of protocol 0, where characters beyond ASCII stand as one byte or escaped. */
export function unicodeIn(line: string): string {
  return line.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g,
    (whole, short?: string, long?: string) => codePoint(short ?? long ?? "") ?? whole,
  );
}

/** The text between quotes in a line of protocol 0; `undefined` where there are none. */
export function quotedIn(line: string): string | undefined {
  const quoted = /^(['"])([\s\S]*)\1\r?$/.exec(line)?.[2];
  return quoted?.replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => codePoint(hex) ?? "");
}

/** A little-endian number in two's complement of up to 8 bytes. */
export function longIn(bytes: Buffer): number | bigint {
  if (bytes.length === 0) return 0;
  const hex = Buffer.from(bytes).reverse().toString("hex");
  const number = BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
  return Number.isSafeInteger(Number(number)) ? Number(number) : number;
}

function codePoint(hex: string): string | undefined {
  const number = Number.parseInt(hex, 16);
  return number >= 0 && number <= 0x10ffff ? String.fromCodePoint(number) : undefined;
}
