/** A file as a tar names it. */
export interface TarFile {
  /** Without a leading slash. */
  path: string;
  /** Bytes. */
  size: number;
  mode: 0o644 | 0o755;
}

const blockBytes = 512;
/** The size field of a header holds eleven octal digits. */
const sizeLimit = 8 ** 11;

/**
 * The tar of these files, in their order: headers and other bytes, and each file where its content goes. POSIX ustar
 * with PAX records only for what ustar cannot say. No times, owners or names of the machine: the same bytes everywhere.
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
export function tarParts<File extends TarFile>(files: readonly File[]): (Buffer | File)[] {
  const parts: (Buffer | File)[] = [];
  let bytes: Buffer[] = [];
  const known = new Set<string>();
  for (const file of files) {
    for (const folder of foldersAbove(file.path)) {
      if (known.has(folder)) continue;
      known.add(folder);
      bytes.push(header(`${folder}/`, "5", 0o755, 0));
    }
    bytes.push(header(file.path, "0", file.mode, file.size));
    parts.push(Buffer.concat(bytes), file);
    bytes = [Buffer.alloc(padding(file.size))];
  }
  parts.push(Buffer.concat([...bytes, Buffer.alloc(2 * blockBytes)]));
  return parts;
}

/** Bytes of the tar of these files. */
export function tarSize(files: readonly TarFile[]): number {
  return tarParts(files).reduce((sum, part) => sum + (Buffer.isBuffer(part) ? part.length : part.size), 0);
}

function foldersAbove(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_name, index) => names.slice(0, index + 1).join("/"));
}

type Kind = "0" | "5" | "x";

/** An entry's header, with a PAX header before it where the plain one cannot hold the name or the size. */
function header(path: string, kind: Kind, mode: number, size: number): Buffer {
  const name = splitName(path);
  const records = [
    ...(name === undefined ? [paxRecord("path", path)] : []),
    ...(size >= sizeLimit ? [paxRecord("size", String(size))] : []),
  ];
  const shown = name ?? { prefix: "", name: path.replace(/[^ -~]/g, "_").slice(0, 100) };
  const plain = ustar(shown, kind, mode, size < sizeLimit ? size : 0);
  if (records.length === 0) return plain;
  const body = Buffer.concat(records);
  const extra = ustar({ prefix: "", name: "PaxHeader" }, "x", 0o644, body.length);
  return Buffer.concat([extra, body, Buffer.alloc(padding(body.length)), plain]);
}

/** `undefined` for a name that is too long for ustar or not ASCII. */
function splitName(path: string): { prefix: string; name: string } | undefined {
  if (!/^[ -~]+$/.test(path)) return undefined;
  if (path.length <= 100) return { prefix: "", name: path };
  // As much as fits goes to the name; a folder's own slash at the end divides nothing.
  const slash = path.indexOf("/", path.length - 101);
  if (slash < 1 || slash > 155 || slash === path.length - 1) return undefined;
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function ustar(path: { prefix: string; name: string }, kind: Kind, mode: number, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  block.write(path.name, 0, 100, "latin1");
  block.write(octal(mode, 7), 100, "latin1");
  block.write(octal(0, 7), 108, "latin1"); // uid
  block.write(octal(0, 7), 116, "latin1"); // gid
  block.write(octal(size, 11), 124, "latin1");
  block.write(octal(0, 11), 136, "latin1"); // mtime
  block.write(" ".repeat(8), 148, "latin1"); // the checksum counts as blanks in its own sum
  block.write(kind, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write(octal(0, 7), 329, "latin1"); // device, major
  block.write(octal(0, 7), 337, "latin1"); // device, minor
  block.write(path.prefix, 345, 155, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, "latin1");
  return block;
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}
