/** Where JSON stops being JSON. */
export interface JsonProblem {
  line: number;
  column: number;
  message: string;
}

/** What is wrong with a JSON text, in lines and columns from 1; `undefined` when nothing is. */
export function jsonProblem(text: string): JsonProblem | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const message = (error as Error).message;
    // The engine names a place in the text, or none when the text ends too early.
    const found = /at position (\d+)/.exec(message)?.[1];
    const position = found === undefined ? firstProblem(text, message) : Number(found);
    const before = text.slice(0, position);
    const line = before.split("\n").length;
    const column = position - before.lastIndexOf("\n");
    return {
      line,
      column,
      message: position >= text.length ? "it ends too early" : says(message, text, position),
    };
  }
}

/** Newer engines quote the text around the place instead of counting; the token they name is found from the quote. */
function firstProblem(text: string, message: string): number {
  if (/end of JSON input/.test(message)) return text.length;
  const quoted = /, (?:\.\.\.)?"([\s\S]*)" is not valid JSON/.exec(message);
  const token = /^Unexpected token '?([\s\S]*?)'?,/.exec(message)?.[1];
  if (!quoted?.[1] || !token) return 0;
  const start = message.includes('..."') ? text.indexOf(quoted[1].replace(/\.\.\.$/, "")) : 0;
  // The quote shows ten characters before the token, fewer at the start of the text.
  const at = text.indexOf(token, Math.max(0, start < 0 ? 0 : start + (start > 0 ? 10 : 0)));
  return Math.max(at, 0);
}

function says(message: string, text: string, position: number): string {
  if (/Expected/.test(message))
    return message.replace(/ (in JSON )?at position[\s\S]*$/, "").replace(/^E/, "e");
  return `unexpected ${JSON.stringify([...text.slice(position)][0] ?? "")}`;
}

/**
 * Indents a JSON text without reading its numbers, so that none loses digits. The text must be valid.
 * Short arrays of numbers stay on one line.
 */
export function indentJson(text: string, width = 100): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let out = "";
  let depth = 0;
  const newline = () => `\n${"  ".repeat(depth)}`;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as string;
    if (token === "{" || token === "[") {
      const end = flatEnd(tokens, index, width);
      if (end > index) {
        out += flat(tokens.slice(index, end + 1));
        index = end;
      } else {
        depth += 1;
        out += token + newline();
      }
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out += newline() + token;
    } else if (token === ",") out += token + newline();
    else if (token === ":") out += ": ";
    else out += token;
  }
  return out;
}

/** Where an empty object or a flat array that fits into a line ends; -1 when it is neither. */
function flatEnd(tokens: readonly string[], start: number, width: number): number {
  if (tokens[start] === "{") return tokens[start + 1] === "}" ? start + 1 : -1;
  let length = 0;
  for (let index = start + 1; index < tokens.length; index += 1) {
    const token = tokens[index] as string;
    if (token === "]") return index;
    if (token === "{" || token === "[") return -1;
    length += token.length;
    if (length > width) return -1;
  }
  return -1;
}

function flat(tokens: readonly string[]): string {
  return tokens.map((token) => (token === "," ? ", " : token)).join("");
}
