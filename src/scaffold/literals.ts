/**
 * Values as literals of a language. What a model file or a user names is data: in a generated file it stands
 * only as one of these, so that a name that is code stays a name.
 */

/** What is left as it is in a string: letters, marks, digits, punctuation, symbols and the space. No control, format or lone surrogate. */
const printable = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

export function py(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return Number.isFinite(value) ? number(value) : `float("${special(value)}")`;
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(py).join(", ")}]`;
  if (typeof value === "object") {
    return `{${entries(value)
      .map(([key, item]) => `${py(key)}: ${py(item)}`)
      .join(", ")}}`;
  }
  return quoted(String(value), (code) =>
    code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`,
  );
}

export function ts(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "undefined";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? number(value) : numberNamed(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(ts).join(", ")}]`;
  if (typeof value === "object") {
    const members = entries(value).map(([key, item]) => `${memberName(key)}: ${ts(item)}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  // Neither ends a script element nor a comment, whatever it is put into.
  return quoted(String(value), (code) =>
    code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`,
  )
    .replaceAll("</", "<\\/")
    .replaceAll("<!--", "\\u003c!--")
    .replaceAll("*/", "*\\/");
}

/** Lists of plain values stay on one line; `indent` is the depth of the line that it begins on. */
export function json(value: unknown, indent = 0): string {
  const text = jsonOf(value, "  ".repeat(indent));
  return text.replaceAll("</", "<\\/").replaceAll("<!--", "\\u003c!--");
}

/** In flow style, which stands anywhere a value may. */
export function yaml(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (Number.isFinite(value)) return number(value);
    return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  }
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(yaml).join(", ")}]`;
  if (typeof value === "object") {
    return `{${entries(value)
      .map(([key, item]) => `${yaml(key)}: ${yaml(item)}`)
      .join(", ")}}`;
  }
  return quoted(String(value), (code) =>
    code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`,
  );
}

const longestComment = 200;

/**
 * One line for a comment or a docstring of any language here: it ends neither, and begins no directive. What would
 * is written a little differently.
 */
export function comment(text: unknown): string {
  const line = oneLine(String(text ?? ""))
    .replaceAll("\\", "/")
    .replaceAll('"', "'")
    .replace(/'{2,}/g, "'")
    .replaceAll("*/", "* /")
    .replaceAll("/*", "/ *")
    .replaceAll("-->", "-- >")
    .replaceAll("<!--", "< !--")
    .replaceAll("</", "< /")
    // In its first two lines Python takes a comment with this for the encoding of the file.
    .replace(/coding(?=[:=])/gi, "$& ")
    .trim();
  const letters = [...line];
  return letters.length > longestComment ? `${letters.slice(0, longestComment - 1).join("")}…` : line;
}

/** One line of Markdown that shows the text and does nothing else: no HTML, no link, no emphasis, no table cell. */
export function md(text: unknown): string {
  return oneLine(String(text ?? ""))
    .trim()
    .replace(/[\\`*_[\]|~$]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("@", "&#64;")
    .replaceAll("://", ":\\/\\/")
    .replace(/www\./gi, (found) => `${found.slice(0, -1)}\\.`)
    .replace(/^(#|-|\+|=)/, "\\$1")
    .replace(/^(\d+)([.)])/, "$1\\$2");
}

function quoted(text: string, codePoint: (code: number) => string): string {
  let literal = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '"' || character === "\\") literal += `\\${character}`;
    else if (character === "\n") literal += "\\n";
    else if (character === "\r") literal += "\\r";
    else if (character === "\t") literal += "\\t";
    else literal += printable.test(character) ? character : codePoint(code);
  }
  return `"${literal}"`;
}

/** Control and format characters, among them those that turn the direction of text, become spaces. */
function oneLine(text: string): string {
  let line = "";
  for (const character of text) line += printable.test(character) ? character : " ";
  return line.replace(/ +/g, " ");
}

function jsonOf(value: unknown, indent: string): string {
  if (Array.isArray(value) && !value.some(isStructure)) {
    return `[${value.map((item) => jsonOf(item, "")).join(", ")}]`;
  }
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => inner + jsonOf(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (isStructure(value)) {
    const members = entries(value).map(([key, item]) => `${inner}${jsonOf(key, "")}: ${jsonOf(item, inner)}`);
    return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
  }
  if (typeof value === "string") {
    // JSON has four digits only: what is beyond them is two.
    return quoted(value, (code) =>
      code > 0xffff
        ? [...String.fromCodePoint(code)].map(unit).join("")
        : `\\u${code.toString(16).padStart(4, "0")}`,
    );
  }
  if (typeof value === "bigint") return String(value);
  return typeof value === "number" && Object.is(value, -0) ? "0" : (JSON.stringify(value) ?? "null");
}

function unit(pair: string): string {
  return pair
    .split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

function isStructure(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function entries(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

function number(value: number): string {
  return Object.is(value, -0) ? "0" : String(value);
}

function special(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

function numberNamed(value: number): string {
  return `Number.${Number.isNaN(value) ? "NaN" : value > 0 ? "POSITIVE_INFINITY" : "NEGATIVE_INFINITY"}`;
}

/** As a plain key, `__proto__` would be no member but the prototype. */
function memberName(key: string): string {
  if (key === "__proto__") return '["__proto__"]';
  return /^[a-zA-Z_$][\w$]*$/.test(key) ? key : ts(key);
}
