import type { FileHandle } from "node:fs/promises";

/** What a name in a tar is: a file, by its place in the tar, or a link. */
export type TarMember =
  | { start: number /** Bytes. */; size: number }
  | { link: string /** From the tar's root rather than from the link's folder. */; hard: boolean };

const blockBytes = 512;
const mostMembers = 100_000;
/** A name, and what else there is to say of one file. */
const largestExtra = 1024 * 1024;

/** Set by entries that speak of the next one: PAX records, and GNU's long names. */
interface Told {
  path?: string;
  link?: string;
  size?: number;
}

/**
 * Where the files of a tar are, by name, from its headers alone: a library would have to be given all of its bytes.
 * `fail` makes the error for a tar that is damaged, or not one.
 */
export async function indexTar(
  file: FileHandle,
  fail: (why: string) => Error,
): Promise<Map<string, TarMember>> {
  const { size: end } = await file.stat();
  const members = new Map<string, TarMember>();
  let told: Told = {};
  for (let at = 0; at + blockBytes <= end; ) {
    const block = await bytesAt(file, at, blockBytes);
    if (block.every((byte) => byte === 0)) break;
    const entry = readHeader(block);
    if (!entry) throw fail(at === 0 ? notATar(block) : `Its header at byte ${at} is damaged.`);
    const size = told.size ?? entry.size;
    const start = at + blockBytes;
    if (!Number.isSafeInteger(size) || size < 0 || start + size > end) throw fail("It ends too early.");
    at = start + Math.ceil(size / blockBytes) * blockBytes;
    if (isExtra(entry.type)) {
      if (size > largestExtra) throw fail(`Its header at byte ${at} is too large.`);
      told = { ...told, ...readExtra(entry.type, await bytesAt(file, start, size)) };
      continue;
    }
    const name = (told.path ?? entry.name).replace(/^(?:\.\/)+/, "").replace(/\/$/, "");
    const member = memberOf(entry.type, start, size, told.link ?? entry.link);
    told = {};
    if (member === undefined) continue;
    if (members.has(name)) throw fail(`It has two files called ${JSON.stringify(name.slice(0, 200))}.`);
    if (members.size === mostMembers) throw fail(`It has more than ${mostMembers} files.`);
    members.set(name, member);
  }
  return members;
}

function memberOf(type: string, start: number, size: number, link: string): TarMember | undefined {
  if (type === "0" || type === "\0" || type === "7") return { start, size };
  if (type === "1" || type === "2") return { link: link.replace(/^(?:\.\/)+/, ""), hard: type === "1" };
  return undefined;
}

function notATar(block: Buffer): string {
  const compressed = block.readUInt16BE(0) === 0x1f8b || block.readUInt32LE(0) === 0xfd2fb528;
  return compressed ? "It is compressed; unpack it first, as with gunzip or zstd." : "It is no tar.";
}

interface Header {
  name: string;
  size: number;
  type: string;
  link: string;
}

/** https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html; `undefined` where the checksum is wrong. */
function readHeader(block: Buffer): Header | undefined {
  const blanked = Buffer.from(block).fill(" ", 148, 156);
  if (blanked.reduce((sum, byte) => sum + byte, 0) !== number(block, 148, 8)) return undefined;
  const name = text(block, 0, 100);
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block, 345, 155) : "";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    size: number(block, 124, 12),
    type: block.toString("latin1", 156, 157),
    link: text(block, 157, 100),
  };
}

function isExtra(type: string): boolean {
  return type === "x" || type === "g" || type === "L" || type === "K";
}

function readExtra(type: string, bytes: Buffer): Told {
  if (type === "L") return { path: text(bytes, 0, bytes.length) };
  if (type === "K") return { link: text(bytes, 0, bytes.length) };
  // What is said of all files at once is never a name or a size.
  if (type === "g") return {};
  const told: Told = {};
  for (let at = 0; at < bytes.length; ) {
    const [, digits = ""] = /^(\d{1,9}) /.exec(bytes.toString("latin1", at, at + 10)) ?? [];
    const length = Number(digits);
    if (length <= digits.length + 1) break;
    const record = bytes.toString("utf8", at + digits.length + 1, at + length - 1);
    const [key, value] = [record.slice(0, record.indexOf("=")), record.slice(record.indexOf("=") + 1)];
    if (key === "path") told.path = value;
    if (key === "linkpath") told.link = value;
    if (key === "size") told.size = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    at += length;
  }
  return told;
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("utf8", start, end < 0 ? start + length : Math.min(end, start + length));
}

/** Octal digits, or bytes with the highest bit set where digits do not suffice. */
function number(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  if (field[0] === 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const digits = field
    .toString("latin1")
    .replace(/\0[\s\S]*$/, "")
    .trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : Number.NaN;
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}
