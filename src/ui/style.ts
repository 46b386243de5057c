import { stripVTControlCharacters, styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Colours and symbols of one output stream. Without colour every function returns its text unchanged. */
export interface Style {
  color: boolean;
  unicode: boolean;
  bold: (text: string) => string;
  dim: (text: string) => string;
  red: (text: string) => string;
  green: (text: string) => string;
  yellow: (text: string) => string;
  cyan: (text: string) => string;
}

export interface StyleInputs {
  stream: { isTTY?: boolean | undefined };
  env: NodeJS.ProcessEnv;
  /** `--no-color`. */
  noColor: boolean;
}

export function createStyle({ stream, env, noColor }: StyleInputs): Style {
  const color = stream.isTTY === true && !noColor && !env.NO_COLOR && env.TERM !== "dumb";
  const paint = (format: Format) => (text: string) =>
    // The stream was judged above; newer versions of Node would judge stdout instead.
    color ? styleText(format, text, { validateStream: false }) : text;
  return {
    color,
    unicode: speaksUnicode(env),
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    cyan: paint("cyan"),
  };
}

function speaksUnicode(env: NodeJS.ProcessEnv): boolean {
  if (process.platform !== "win32") return env.TERM !== "linux" && env.TERM !== "dumb";
  return Boolean(env.WT_SESSION || env.TERM_PROGRAM || env.ConEmuTask || env.TERM?.startsWith("xterm"));
}

/** One printable line: no escape sequences, no control characters, and of a rewritten line only its last state. */
export function plainLine(text: string): string {
  const visible = stripVTControlCharacters(text).replace(/[\r\n]+$/, "");
  const rewritten = visible.slice(visible.lastIndexOf("\r") + 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return rewritten.replace(/\t/g, "  ").replace(/[\u0000-\u001f\u007f-\u009f]/g, "");
}

/** Cuts plain text to a width in columns; wide characters count as one, which only makes a line longer. */
export function clip(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text;
  return `${characters.slice(0, Math.max(0, columns - 1)).join("")}…`;
}
