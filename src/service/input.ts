import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { messageOf, systemCode, UserError } from "../errors.js";
import { jsonProblem } from "./json-text.js";

export interface InputChoice {
  /** JSON, `@file`, `@-` or `-`. */
  text: string;
  cwd: string;
  stdin: Readable;
}

export interface RequestBody {
  body: Buffer | Readable;
  /** Bytes, where they are known without reading. */
  length: number | undefined;
}

/** Up to here input is read and checked before it is sent; larger input is sent as it is read. */
const checkedBytes = 16 * 2 ** 20;

/** The request's body from where the user has it. Throws UserError `input` when it is no JSON. */
export async function readInput(choice: InputChoice): Promise<RequestBody> {
  const { text } = choice;
  if (text === "-" || text === "@-") return fromStream(choice.stdin, "stdin", undefined);
  if (!text.startsWith("@")) return checked(Buffer.from(text), "-i");
  const shown = text.slice(1);
  const path = resolve(choice.cwd, shown);
  try {
    const info = await stat(path);
    if (info.isDirectory())
      throw new UserError("input", `${shown} is a folder.`, { hint: "Name a JSON file." });
    return await fromStream(createReadStream(path), shown, info.isFile() ? info.size : undefined);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("input", `The input file ${shown} cannot be read.`, {
      why: systemCode(error) === "ENOENT" ? "There is no such file." : messageOf(error),
      hint: "Write -i @FILE with a path from the current folder, or -i - for stdin.",
      cause: error,
    });
  }
}

async function fromStream(stream: Readable, shown: string, size: number | undefined): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  const rest = stream[Symbol.asyncIterator]();
  while (length <= checkedBytes) {
    const next = await rest.next();
    if (next.done) return checked(Buffer.concat(chunks), shown);
    const chunk = Buffer.from(next.value as Uint8Array);
    chunks.push(chunk);
    length += chunk.length;
  }
  async function* all() {
    yield* chunks;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value as Buffer;
  }
  return { body: Readable.from(all(), { objectMode: false }), length: size };
}

function checked(bytes: Buffer, shown: string): RequestBody {
  // Some editors begin a file with a byte order mark, which JSON does not allow.
  const bare = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? bytes.subarray(3) : bytes;
  const text = bare.toString("utf8");
  if (text.trim() === "")
    throw new UserError("input", `The input (${shown}) is empty.`, { hint: "It has to be JSON." });
  const problem = jsonProblem(text);
  if (!problem) return { body: bare, length: bare.length };
  const { line, column, message } = problem;
  throw new UserError(
    "input",
    `The input is not JSON: ${shown}, line ${line}, column ${column}: ${message}.`,
    {
      hint:
        shown === "-i" && !/^\s*[{["]/.test(text)
          ? `To send a file, write -i @${text.trim().slice(0, 60)}`
          : "Names and texts in JSON stand in double quotes, and nothing follows the last item.",
    },
  );
}
