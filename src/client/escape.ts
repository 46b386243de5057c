/** What an editor, a compiler or a reader could take for something else: controls, directions, ends of lines, halves. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A literal of any text in TypeScript, ASCII where it would not be seen. */
export function typescriptText(text: string): string {
  return quoted(text).replace(invisible, units);
}

/** The same in Python, which writes what is beyond 16 bits in another way. */
export function pythonText(text: string): string {
  return quoted(text).replace(invisible, (found) => {
    const point = found.codePointAt(0) ?? 0;
    return point > 0xffff ? `\\U${point.toString(16).padStart(8, "0")}` : units(found);
  });
}

/** In the quotes that need fewer escapes, as formatters have it. */
function quoted(text: string): string {
  const literal = JSON.stringify(text);
  if (count(text, '"') <= count(text, "'")) return literal;
  return `'${literal.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function count(text: string, mark: string): number {
  return text.split(mark).length - 1;
}

function units(text: string): string {
  return text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A text for a comment: one line, and nothing that ends the comment or that a tool takes for an instruction. */
export function commentText(text: string): string {
  const line = text
    .replace(invisible, " ")
    .replaceAll("#", "")
    .replaceAll("*/", "* /")
    .replace(/\s+/g, " ")
    .trim();
  const short = [...line].slice(0, 160).join("");
  return /^\W*[\w-]*(ignore|disable|enable|expect|nocheck|noqa|fmt|type:|mypy|pyright|pylint)|@/i.test(short)
    ? `"${short.replaceAll("@", "(at)")}"`
    : short;
}
